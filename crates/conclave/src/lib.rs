//! The server: command line, wiring, signals, telemetry.
//!
//! - [`run`]: the program, given arguments and environment.
//! - [`Node`]: a whole server as one value; a process may have several.
//! - [`Surroundings`]: the clock and the randomness that a node is given.

mod clock;
mod command_line;
mod configuration_record;
mod control;
mod data_dir;
mod doctor;
mod entropy;
mod files;
mod history_note;
mod metrics_page;
mod moved_note;
mod node;
mod open_files;
mod output;
mod progress;
mod registrations;
mod roots;
mod serving;
mod storage;
mod surroundings;
mod telemetry;
mod whole_file;

pub use clock::SystemClock;
pub use command_line::run;
pub use entropy::SystemEntropy;
pub use node::Node;
pub use surroundings::Surroundings;

//! Files: what is uploaded, and how it is given out.

mod client;
mod headers;
mod open_paths;
mod pending;
mod quota;
mod ranges;
mod thumbnails;

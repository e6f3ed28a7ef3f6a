//! Files: what is uploaded, and how it is given out.

mod client;
mod headers;
mod ranges;

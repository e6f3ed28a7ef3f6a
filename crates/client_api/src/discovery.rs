//! What a client asks before it knows anybody here.

pub mod capabilities;
pub mod versions;
pub mod well_known;

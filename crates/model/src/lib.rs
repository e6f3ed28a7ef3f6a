//! Ids, events, room rules, time and randomness as values: pure, synchronous, no I/O.

pub mod entropy;
pub mod time;

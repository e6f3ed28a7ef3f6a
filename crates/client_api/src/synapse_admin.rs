//! The calls of Synapse's admin API that existing tools make.

pub(crate) mod register;
pub(crate) mod register_nonce;

//! End-to-end encryption: publishing, finding and claiming keys.

pub(crate) mod claim_keys;
pub(crate) mod get_key_changes;
pub(crate) mod query_keys;
pub(crate) mod upload_keys;
pub(crate) mod upload_signatures;
pub(crate) mod upload_signing_keys;

//! `[seal]`: the master key under which everything is encrypted at rest.

use std::path::PathBuf;

use super::section;
use crate::{reader::Reader, values::Secret};

section! {
    /// The master key under which everything is encrypted at rest. It is never stored in the
    /// database; whoever loses it has lost the data.
    pub Seal in "seal" {
        /// The master key's file. It is made on the first start, readable by its owner alone.
        /// All nodes of a cluster need the same key.
        key_file: PathBuf = derived(key_in_data_dir, "`master.key` in `server.data_dir`");
        /// The master key itself, as its file would hold it; then no file is read or made.
        /// Set it by environment: a key in this file would be in every copy of the file.
        key: Option<Secret> = "";
    }
}

fn key_in_data_dir(reader: &Reader) -> String {
    super::server::in_data_dir(reader, "master.key")
}

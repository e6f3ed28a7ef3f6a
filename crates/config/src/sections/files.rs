//! `[files]`: where uploads go, and how large they may be.

use bytesize::ByteSize;

use super::section;
use crate::{reader::Reader, values::FilesUrl};

section! {
    /// What people upload.
    pub Files in "files" {
        /// Where uploaded files are kept.
        url: FilesUrl = derived(url_in_data_dir, "`file://`, then `files` in `server.data_dir`");
        /// The largest file that may be uploaded.
        max_size: ByteSize = "100 MiB";
    }
}

fn url_in_data_dir(reader: &Reader) -> String {
    format!("file://{}", super::server::in_data_dir(reader, "files"))
}

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
        /// How much each user may upload, all of their files together. Thumbnails are not
        /// counted. What is there already stays when this is made smaller. There is no value for
        /// "as much as they like": set it past the size of the disk.
        max_per_user: ByteSize = "10 GiB";
        /// Gives files out to anybody who knows an address, without an access token, on the paths
        /// that clients of before Matrix 1.11 use (`/_matrix/media/v3/download` and `thumbnail`).
        /// Those paths answer "not found" otherwise.
        allow_unauthenticated: bool = "false";
    }
}

fn url_in_data_dir(reader: &Reader) -> String {
    format!("file://{}", super::server::in_data_dir(reader, "files"))
}

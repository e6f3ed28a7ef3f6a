//! `[files]`: where uploads go, and how large they may be.

use std::path::PathBuf;

use bytesize::ByteSize;

use super::section;
use crate::{
    reader::Reader,
    values::{FilesUrl, OneLine, Secret},
};

/// An object of S3 has at most 10,000 parts, and `blobs` makes them of 8 MiB.
const LARGEST_IN_S3: ByteSize = ByteSize::gib(64);

section! {
    /// What people upload.
    pub Files in "files" {
        /// Where uploaded files are kept: in a folder, or in a bucket of any server that speaks
        /// S3, which the nodes of a deployment share. `endpoint` is that server: `http://` sends
        /// requests in clear, signed but readable. With `style=virtual` the bucket is a part of
        /// the host's name, and with `prefix` the names of all files begin with it.
        /// `docs/operate/files.md` says what the bucket needs.
        url: FilesUrl = derived(url_in_data_dir, "`file://`, then `files` in `server.data_dir`");
        /// The id of the key with which requests to S3 are signed. It comes from here alone: the
        /// variables and files of other S3 programs are not looked at.
        access_key_id: Option<OneLine> = "";
        /// The key with which requests to S3 are signed.
        secret_access_key: Option<Secret> = "";
        /// A file that holds `files.secret_access_key`.
        secret_access_key_file: Option<PathBuf> = "";
        /// Certificates that vouch for S3, as PEM, instead of those that the system trusts.
        ca_file: Option<PathBuf> = "";
        /// The largest file that may be uploaded: in S3, at most 64 GiB.
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

impl Files {
    /// Reads the section, in which S3 needs more keys than a folder.
    pub(crate) fn read_checked(reader: &Reader) -> Option<Self> {
        let files = Self::read(reader)?;
        let Some((key, message, accepted)) = files.contradiction() else {
            return Some(files);
        };
        reader.refuse(key, message, accepted);
        None
    }

    /// The first key that does not go with the others, and why.
    fn contradiction(&self) -> Option<(&'static str, &'static str, &'static str)> {
        let set = [
            ("files.access_key_id", self.access_key_id.is_some()),
            ("files.secret_access_key", self.secret_access_key.is_some()),
            ("files.ca_file", self.ca_file.is_some()),
        ];
        if let FilesUrl::Folder(_) = self.url {
            let set = set.into_iter().find(|(_, is_set)| *is_set);
            return set
                .map(|(key, _)| (key, "is set without S3", "files.url in s3://, or neither"));
        }
        let both = "files.access_key_id and files.secret_access_key with it";
        match (&self.access_key_id, &self.secret_access_key) {
            (None, _) => Some(("files.url", "is set without files.access_key_id", both)),
            (_, None) => Some(("files.url", "is set without files.secret_access_key", both)),
            (Some(_), Some(_)) if self.max_size > LARGEST_IN_S3 => Some((
                "files.max_size",
                "is more than one file in S3 may have",
                "at most \"64 GiB\" where files.url is in S3",
            )),
            (Some(_), Some(_)) => None,
        }
    }
}

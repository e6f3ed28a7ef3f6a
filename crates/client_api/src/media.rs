//! The content repository: uploads, downloads, what is allowed.

pub(crate) mod download_file;
pub(crate) mod get_media_config;
mod served;
pub(crate) mod upload_file;

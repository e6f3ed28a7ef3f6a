//! The content repository: uploads, downloads, what is allowed.

mod answer;
mod conditions;
pub(crate) mod download_file;
pub(crate) mod get_media_config;
mod served;
pub(crate) mod upload_file;

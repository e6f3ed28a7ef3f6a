//! The content repository: uploads, downloads, thumbnails, what is allowed.

mod answer;
mod body;
pub mod conditions;
pub(crate) mod create_address;
pub(crate) mod download_file;
pub(crate) mod download_file_openly;
mod found;
pub(crate) mod get_media_config;
pub(crate) mod get_media_preview;
pub(crate) mod get_thumbnail;
pub mod served;
pub(crate) mod upload_file;

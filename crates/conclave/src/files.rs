//! Where files are kept: in a folder or in S3, as `files.url` says.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use blobs::{Blobs, S3Options};
use config::{Config, Files, FilesUrl, S3Url};
use rustls::RootCertStore;
use zeroize::Zeroizing;

use crate::{Surroundings, roots::roots};

/// Opens the place, and makes the folder if it is one.
pub(crate) async fn open(config: &Config, surroundings: &Surroundings) -> anyhow::Result<Blobs> {
    match &config.files.url {
        FilesUrl::Folder(folder) => {
            let blobs = Blobs::in_folder(folder.clone()).await;
            blobs.context("the folder of files.url could not be opened")
        }
        FilesUrl::S3(url) => {
            let options = options(url, &config.files)?;
            let Surroundings { clock, entropy } = surroundings;
            let opened = Blobs::in_s3(&options, Arc::clone(clock), Arc::clone(entropy));
            Ok(opened.await?)
        }
    }
}

/// Refuses a place that holds files, for whoever wants to `restore` or `move` into it; a folder is
/// neither made nor changed.
pub(crate) async fn check_empty(
    config: &Config,
    wanted: &str,
    surroundings: &Surroundings,
) -> anyhow::Result<()> {
    let (blobs, shown) = match &config.files.url {
        FilesUrl::Folder(folder) => (
            Blobs::in_read_only_folder(folder.clone()),
            format!("the folder {}", folder.display()),
        ),
        FilesUrl::S3(url) => (
            open(config, surroundings).await?,
            match url.prefix.as_str() {
                "" => format!("the bucket {}", url.bucket),
                prefix => format!("the bucket {} below {prefix}/", url.bucket),
            },
        ),
    };
    if blobs.is_empty().await? {
        return Ok(());
    }
    Err(anyhow!(
        "{shown} holds files already: {wanted} into an empty one"
    ))
}

fn options(url: &S3Url, files: &Files) -> anyhow::Result<S3Options> {
    let key = files.access_key_id.as_ref();
    let key = key.zip(files.secret_access_key.as_ref());
    let (id, secret) = key.context("files.url is set without the keys of S3")?;
    Ok(S3Options {
        endpoint: url.endpoint.clone(),
        region: url.region.clone(),
        bucket: url.bucket.clone(),
        is_virtual_host: url.is_virtual_host,
        prefix: url.prefix.clone(),
        access_key_id: id.as_str().to_owned(),
        secret_access_key: Zeroizing::new(secret.expose().to_owned()),
        roots: match url.endpoint.starts_with("https://") {
            true => roots("files.ca_file", files.ca_file.as_deref())?,
            false => RootCertStore::empty(),
        },
    })
}

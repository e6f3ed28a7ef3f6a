//! Where files are kept: something is written, read back, compared and removed.

use std::time::Duration;

use blobs::Blobs;
use config::FilesUrl;
use tokio::time::timeout;

use super::{Findings, Scene};
use crate::files;

const CHECK: &str = "files";

/// How long S3 may take for all that is asked of it, and for what is asked again.
const WITHIN: Duration = Duration::from_secs(15);

/// Tries the folder or the bucket.
pub(super) async fn examine(scene: &Scene<'_>) -> Findings {
    let mut findings = Findings::default();
    let config = &scene.loaded.config;
    match &config.files.url {
        FilesUrl::Folder(folder) => {
            let shown = folder.display();
            let entropy = &*scene.surroundings.entropy;
            match Blobs::examine_folder(folder.clone(), entropy).await {
                Ok(true) => {
                    let says = format_args!("what is written to {shown} is read back and removed");
                    findings.ok(CHECK, says);
                }
                Ok(false) => {
                    let says = format_args!("{shown} is not there yet: the first start makes it");
                    findings.ok(CHECK, says);
                }
                Err(error) => findings.wrong(
                    CHECK,
                    format_args!(
                        "{error}: let the folder belong to the user that runs the server, on a \
                         disk that is not full"
                    ),
                ),
            }
        }
        FilesUrl::S3(url) => {
            let bucket = &url.bucket;
            // Opening tries the bucket; it asks again for some seconds what was not answered.
            match timeout(WITHIN, files::open(config, scene.surroundings)).await {
                Ok(Ok(_)) => {
                    let says = format_args!(
                        "what is written to the bucket {bucket} at {} is read back and removed",
                        url.endpoint
                    );
                    findings.ok(CHECK, says);
                }
                Ok(Err(error)) => findings.wrong(CHECK, format_args!("{error:#}")),
                Err(_) => findings.wrong(
                    CHECK,
                    format_args!(
                        "the bucket {bucket} at {} did not answer within {} seconds: check that S3 \
                         runs there, and endpoint= in files.url",
                        url.endpoint,
                        WITHIN.as_secs()
                    ),
                ),
            }
        }
    }
    findings
}

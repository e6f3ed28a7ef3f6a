//! The data directory: whose it is, what room it has, and whether a server runs on it.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use config::Config;
use tokio::time::timeout;

use super::{ANSWER_WITHIN, Findings, disk, open_files};
use crate::{control, data_dir};

const CHECK: &str = "data directory";
const SERVER: &str = "server";

/// Looks at it, and tells whether a server runs on it.
pub(super) async fn examine(config: &Config, findings: &mut Findings) -> bool {
    let path = &config.server.data_dir;
    owner(path, findings);
    disk::examine(config, findings);
    let is_running = running(path, findings).await;
    let process = is_running.then(|| data_dir::process_of(path)).flatten();
    open_files::examine(process, findings);
    is_running
}

fn owner(path: &Path, findings: &mut Findings) {
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let says = format_args!(
                "{shown} is not there: the first start makes it; if there is a deployment \
                 already, point --data-dir or server.data_dir at its directory"
            );
            return findings.warning(CHECK, says);
        }
        Err(error) => {
            let says = format_args!("{shown} cannot be looked at ({error})");
            return findings.wrong(CHECK, says);
        }
    };
    if !metadata.is_dir() {
        let says = format_args!("{shown} is no directory: choose another with --data-dir");
        return findings.wrong(CHECK, says);
    }
    let (owner, us) = (metadata.uid(), rustix::process::geteuid().as_raw());
    let mode = metadata.permissions().mode() & 0o777;
    if owner != us {
        findings.warning(
            CHECK,
            format_args!(
                "{shown} belongs to the user {owner}, and this is the user {us}: run `conclave \
                 doctor` as the user that runs the server, whose rights are what counts"
            ),
        );
    }
    if mode & 0o077 != 0 {
        let says = format_args!(
            "others may look into {shown} (mode {mode:o}): run chmod 700 on it, if the server is \
             the only one who needs it"
        );
        findings.warning(CHECK, says);
    } else if owner == us {
        findings.ok(CHECK, format_args!("{shown} is its owner's alone"));
    }
}

/// Asks nothing: that somebody listens is enough.
async fn running(path: &Path, findings: &mut Findings) -> bool {
    let shown = path.display();
    match timeout(ANSWER_WITHIN, control::reach(path)).await {
        Ok(Ok(())) => {
            let process = data_dir::process_of(path);
            let process = process.map_or(String::new(), |id| format!(" (process {id})"));
            findings.ok(SERVER, format_args!("one runs on {shown}{process}"));
            true
        }
        Ok(Err(error)) if is_absence(&error) => {
            findings.ok(SERVER, format_args!("none runs on {shown}"));
            false
        }
        Ok(Err(error)) => {
            let says = format_args!(
                "whether one runs on {shown} cannot be told ({error}): run `conclave doctor` as \
                 the user that runs the server"
            );
            findings.warning(SERVER, says);
            false
        }
        Err(_) => {
            let says = format_args!("one runs on {shown} and takes no commands: it hangs");
            findings.wrong(SERVER, says);
            true
        }
    }
}

/// Nobody has made a socket, or whoever has is gone.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

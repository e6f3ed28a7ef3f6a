//! The file of an embedded database.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use store::{FileForm, quick_check};
use tokio::task::spawn_blocking;

use super::{Findings, disk::nearest};

const CHECK: &str = "database file";

/// How the file system calls itself, and what that is: locks and shared memory of SQLite hold on
/// one machine alone.
const OF_NETWORKS: [(u32, &str); 10] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x5346_414f, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd3, "Lustre"),
    (0x0116_1970, "GFS2"),
];

/// What runs in a program may be anything.
const FUSE: u32 = 0x6573_5546;

/// Looks at the file from outside; one that is not there is no fault.
pub(super) fn file(path: &Path, findings: &mut Findings) {
    file_system(path, findings);
    let shown = path.display();
    let Ok(metadata) = fs::metadata(path) else {
        return;
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let says = format_args!("others may read {shown} (mode {mode:o}): run chmod 600 on it");
        findings.warning(CHECK, says);
    }
    match FileForm::of(path) {
        Ok(FileForm::WithLog) => {
            let says = format_args!("{shown} is one of SQLite with a write-ahead log");
            findings.ok(CHECK, says);
        }
        Ok(FileForm::Empty) => {
            let says = format_args!("{shown} is empty: the first start makes tables in it");
            findings.ok(CHECK, says);
        }
        Ok(FileForm::WithoutLog) => findings.warning(
            CHECK,
            format_args!(
                "{shown} has no write-ahead log, which some other program has switched off: the \
                 next start switches it on"
            ),
        ),
        Ok(FileForm::Foreign) => findings.wrong(
            CHECK,
            format_args!(
                "{shown} is no file of SQLite: point database.url at another, or restore a backup"
            ),
        ),
        Err(error) => findings.wrong(
            CHECK,
            format_args!(
                "{shown} cannot be read ({error}): run `conclave doctor` as the user that runs \
                 the server, to whom the file has to belong"
            ),
        ),
    }
}

fn file_system(path: &Path, findings: &mut Findings) {
    let Some(kind) = nearest(path).and_then(|there| kind_of_file_system(&there)) else {
        return;
    };
    let shown = path.display();
    if let Some((_, name)) = OF_NETWORKS.iter().find(|(known, _)| *known == kind) {
        let says = format_args!(
            "{shown} is on a file system of the network ({name}), on which SQLite loses data: \
             keep it on a disk of this machine, or move to PostgreSQL"
        );
        findings.wrong(CHECK, says);
    } else if kind == FUSE {
        let says = format_args!(
            "{shown} is on a file system that a program makes (FUSE): if it is one of the \
             network, SQLite loses data on it"
        );
        findings.warning(CHECK, says);
    }
}

#[cfg(target_os = "linux")]
fn kind_of_file_system(path: &Path) -> Option<u32> {
    let found = rustix::fs::statfs(path).ok()?;
    // 32 bits of it count, whatever the width in which the kernel gives them.
    u32::try_from(found.f_type & 0xffff_ffff).ok()
}

#[cfg(not(target_os = "linux"))]
fn kind_of_file_system(_: &Path) -> Option<u32> {
    None
}

/// Reads every page, where that is wanted.
pub(super) async fn pages(path: &Path, is_thorough: bool, findings: &mut Findings) {
    const CHECK: &str = "database pages";
    if !matches!(
        FileForm::of(path),
        Ok(FileForm::WithLog | FileForm::WithoutLog)
    ) {
        return;
    }
    if !is_thorough {
        return findings.ok(CHECK, "they were not looked through: --thorough does that");
    }
    let file = path.to_owned();
    let shown = path.display();
    match spawn_blocking(move || quick_check(&file)).await {
        Ok(Ok(wrong)) if wrong.is_empty() => {
            findings.ok(CHECK, "all of them were looked through, and are whole");
        }
        Ok(Ok(wrong)) => {
            let first = wrong.first().map_or("", String::as_str);
            let says = format_args!(
                "{shown} is damaged ({first}): stop the server, and restore the last backup"
            );
            findings.wrong(CHECK, says);
        }
        Ok(Err(error)) => {
            let error = crate::storage::chain(&error);
            let says = format_args!(
                "{shown} is damaged, or cannot be read ({error}): stop the server, and restore \
                 the last backup"
            );
            findings.wrong(CHECK, says);
        }
        Err(error) => findings.wrong(CHECK, format_args!("{shown}: {error}")),
    }
}

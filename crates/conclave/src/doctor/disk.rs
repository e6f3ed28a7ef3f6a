//! The room on the disks where this server keeps something.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use config::{Config, DatabaseUrl, FilesUrl};
use rustix::fs::{StatVfs, statvfs};

use super::Findings;

const CHECK: &str = "free space";

/// Less than this many bytes is too little to go on for long.
const LITTLE_BYTES: u64 = 1 << 30;

/// Looks at each disk once.
pub(super) fn examine(config: &Config, findings: &mut Findings) {
    let mut seen = Vec::new();
    for (what, path) in places(config) {
        let Some(there) = nearest(&path) else {
            continue;
        };
        let Ok(metadata) = fs::metadata(&there) else {
            continue;
        };
        if seen.contains(&metadata.dev()) {
            continue;
        }
        seen.push(metadata.dev());
        match statvfs(&there) {
            Ok(room) => judge(what, &path, &room, findings),
            Err(error) => {
                let path = path.display();
                let says = format_args!("that of {path} cannot be told ({error})");
                findings.warning(CHECK, says);
            }
        }
    }
}

fn places(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let mut places = vec![("the data directory", config.server.data_dir.clone())];
    if let DatabaseUrl::Sqlite(path) = &config.database.url {
        places.push(("the database", path.clone()));
    }
    if let FilesUrl::Folder(path) = &config.files.url {
        places.push(("the files", path.clone()));
    }
    places
}

/// The path itself, or what of it is there.
pub(super) fn nearest(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let mut above = path.ancestors();
    above.find(|path| path.exists()).map(Path::to_owned)
}

fn judge(what: &str, path: &Path, room: &StatVfs, findings: &mut Findings) {
    let free_bytes = room.f_bavail.saturating_mul(room.f_frsize);
    let bytes = room.f_blocks.saturating_mul(room.f_frsize);
    let path = path.display();
    let percent = percent(room.f_bavail, room.f_blocks);
    let free = format!(
        "{} of {} are free ({percent} %) for {what} in {path}",
        shown(free_bytes),
        shown(bytes)
    );
    if percent < 10 || free_bytes < LITTLE_BYTES {
        let says = format_args!(
            "{free}: make room, for where there is none left nothing is written any more"
        );
        findings.warning(CHECK, says);
    } else {
        findings.ok(CHECK, free);
    }
    // Some file systems have no number of files.
    if room.f_files > 0 && self::percent(room.f_favail, room.f_files) < 5 {
        let says = format_args!(
            "there is room for {} more files only, for {what} in {path}: remove files that \
             nobody needs",
            room.f_favail
        );
        findings.warning(CHECK, says);
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100) / whole.max(1)
}

/// So many bytes as people read them.
fn shown(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    match mib < 1_024.0 {
        true => format!("{mib:.0} MiB"),
        false => format!("{:.1} GiB", mib / 1_024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_that_is_there_stands_for_one_that_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c.db");
        assert_eq!(nearest(&path).as_deref(), Some(folder.path()));
        assert_eq!(nearest(folder.path()).as_deref(), Some(folder.path()));
    }

    #[test]
    fn room_is_told_in_what_people_count_in() {
        assert_eq!(shown(5 << 20), "5 MiB");
        assert_eq!(shown(3 << 29), "1.5 GiB");
        assert_eq!((percent(1, 3), percent(0, 0)), (33, 0));
    }
}

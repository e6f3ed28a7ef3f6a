//! Where servers' programs are on this machine, and as whom they run.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use super::ServerError;

/// A user and group to run a server as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Finds the account that servers drop to: none when this process is not root.
pub(super) fn unprivileged() -> Result<Option<Account>, ServerError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").map_err(|source| ServerError::Io {
        what: "read /etc/passwd",
        source,
    })?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| account(&passwd, name))
        .map(Some)
        .ok_or(ServerError::NoUser)
}

fn account(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { uid, gid })
    })
}

/// The oldest PostgreSQL that the store supports.
const OLDEST_POSTGRES: u32 = 15;

/// Finds the programs of the newest supported PostgreSQL in Debian's layout, `ROOT/VERSION/bin`.
pub(super) fn postgres(root: &Path) -> Option<PathBuf> {
    fs::read_dir(root)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|version| *version >= OLDEST_POSTGRES)
        .map(|version| (version, root.join(version.to_string()).join("bin")))
        // A removed server package leaves the client's programs behind.
        .filter(|(_, bin)| bin.join("initdb").is_file() && bin.join("pg_ctl").is_file())
        .max_by_key(|(version, _)| *version)
        .map(|(_, bin)| bin)
}

/// Finds a program on `path`, or where Debian puts daemons (which is not on everybody's path).
pub(super) fn on_path(path: Option<&OsStr>, program: &str) -> Option<PathBuf> {
    let listed = path.into_iter().flat_map(std::env::split_paths);
    let daemons = ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin"].map(PathBuf::from);
    listed
        .chain(daemons)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_its_uid_and_gid() {
        let passwd = "root:x:0:0:root:/:/bin/sh\npostgres:x:105:110:,,,:/var:/bin/bash\n";
        let found = account(passwd, "postgres");
        assert_eq!(found, Some(Account { uid: 105, gid: 110 }));
        assert_eq!(account(passwd, "nobody"), None);
    }

    #[test]
    fn the_newest_supported_postgres_with_a_server_wins() {
        let root = tempfile::tempdir().unwrap();
        for (version, programs) in [
            ("9.6", &["initdb", "pg_ctl"][..]),
            ("14", &["initdb", "pg_ctl"]),
            ("15", &["initdb", "pg_ctl"]),
            ("16", &["psql"]),
        ] {
            let bin = root.path().join(version).join("bin");
            fs::create_dir_all(&bin).unwrap();
            for program in programs {
                fs::write(bin.join(program), "").unwrap();
            }
        }
        let newest = root.path().join("15").join("bin");
        assert_eq!(postgres(root.path()), Some(newest.clone()));
        fs::remove_dir_all(newest).unwrap();
        assert_eq!(postgres(root.path()), None);
    }
}

//! Where the socket is, whatever the length of its path.

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

/// The name of the socket in the data directory.
pub(super) const SOCKET: &str = "control.sock";

/// The kernel takes 107 bytes; some are left for the name.
const LONGEST_PATH_BYTES: usize = 80;

/// A directory under a name that is short enough for sockets in it.
pub(super) struct ShortDirectory {
    name: PathBuf,
    /// The short name of a long path goes through this open directory.
    _open: Option<File>,
}

impl ShortDirectory {
    /// Finds the short name.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= LONGEST_PATH_BYTES {
            return Ok(Self {
                name: path.to_owned(),
                _open: None,
            });
        }
        let directory = File::open(path)?;
        Ok(Self {
            name: PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())),
            _open: Some(directory),
        })
    }

    /// The short name of an entry; good as long as this value lives.
    pub(super) fn entry(&self, name: &str) -> PathBuf {
        self.name.join(name)
    }
}

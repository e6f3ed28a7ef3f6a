//! `[appservices]`: bridges to other networks, and other programs beside the server.

use std::path::PathBuf;

use super::section;

section! {
    /// Application services: bridges to other networks, and other programs that act as users of
    /// their own. `docs/operate/application-services.md` says how one is set up.
    pub Appservices in "appservices" {
        /// The registration files, which bridges write: paths, or globs such as
        /// "/etc/conclave/appservices/*.yaml". The same files are given to every node of a
        /// cluster. A service may stand at any address and port, also on this machine and in
        /// private networks. They are read when the server starts.
        registrations: Vec<PathBuf> = "";
    }
}

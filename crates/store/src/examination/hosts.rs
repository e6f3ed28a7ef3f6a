//! The hosts of a URL, asked one by one.

use std::{io, time::Duration};

use futures_util::future::join_all;

use crate::{
    DatabaseOptions, Location, StoreError,
    engine::postgres::{Connector, Role},
};

/// One host of `database.url`, and what it is.
#[derive(Debug)]
pub struct HostFound {
    /// Its name or address, with the port.
    pub host: String,
    /// What it is.
    pub state: HostState,
}

/// What a host is.
#[derive(Debug)]
pub enum HostState {
    /// It takes writes.
    Primary,
    /// It answers, and takes none.
    Standby,
    /// It does not answer, or does not let this user in.
    Failed(StoreError),
}

impl HostFound {
    /// Asks each host of the URL at the same time; none for a file.
    pub async fn all(options: &DatabaseOptions, within: Duration) -> Result<Vec<Self>, StoreError> {
        let Location::Postgres(url) = &options.location else {
            return Ok(Vec::new());
        };
        let apart = Connector::new(url)?.apart();
        let asking = apart.into_iter().map(|(host, connector)| async move {
            let connected = tokio::time::timeout(within, connector.connect(Role::Reader));
            let state = match connected.await {
                Ok(Ok(_)) => HostState::Primary,
                Ok(Err(error)) if takes_no_writes(&error) => HostState::Standby,
                Ok(Err(error)) => HostState::Failed(error),
                Err(_) => {
                    let sentence = format!("no answer within {} seconds", within.as_secs());
                    HostState::Failed(StoreError::Unavailable(sentence))
                }
            };
            Self { host, state }
        });
        Ok(join_all(asking).await)
    }

    /// The names and addresses of the hosts of the URL with their ports, without asking them; none
    /// for a file and for a socket of this machine.
    pub fn names(options: &DatabaseOptions) -> Result<Vec<(String, u16)>, StoreError> {
        match &options.location {
            Location::Postgres(url) => Ok(Connector::new(url)?.names()),
            Location::Sqlite(_) => Ok(Vec::new()),
        }
    }
}

/// The library asks whether writes are taken, and gives this kind of error when they are not.
fn takes_no_writes(error: &StoreError) -> bool {
    let StoreError::Postgres(error) = error else {
        return false;
    };
    let source = std::error::Error::source(&**error);
    let source = source.and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::PermissionDenied)
}

//! Finding the writable primary among the hosts of a URL.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream::poll_fn};
use tokio::sync::watch;
use tokio_postgres::{
    AsyncMessage, Client, Config, NoTls, Socket, config::Host, tls::MakeTlsConnect,
};

use super::{
    Role, Session,
    address::{Address, is_protected},
    no_answer,
    tls::Protection,
};
use crate::{History, StoreError};

/// How long a connection may take to be made, its greeting included.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The same where there are others: a host that says nothing must not keep a node from finding
/// the one that has followed it before whoever asks gives up.
const CONNECT_TO_ONE_WITHIN: Duration = Duration::from_secs(2);

/// How to reach the writable primary.
#[derive(Clone)]
pub(crate) struct Connector {
    hosts: Arc<[Config]>,
    /// Who is believed, where one of them is spoken to over TLS.
    protection: Option<Arc<Protection>>,
    /// Which host is tried first: behind one that failed, the next.
    first: Arc<AtomicUsize>,
    /// Which host was the primary last. Sessions with another are left.
    primary: watch::Sender<usize>,
    /// What a server must have, to be gone on with.
    history: History,
}

impl Connector {
    pub(crate) fn new(url: &str) -> Result<Self, StoreError> {
        let Address { hosts, files } = Address::read(url)?;
        let protection = files.map(Protection::read).transpose()?;
        Ok(Self {
            hosts: hosts.into(),
            protection: protection.map(Arc::new),
            first: Arc::default(),
            primary: watch::Sender::new(0),
            history: History::new(),
        })
    }

    /// What was seen of the log over these sessions.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// Connects to the first host that takes writes, beginning with the one that did last.
    pub(crate) async fn connect(&self, role: Role) -> Result<Session, StoreError> {
        let (first, count) = (self.first.load(Ordering::Acquire), self.hosts.len());
        let mut failure = no_answer();
        for host in (first..first + count).map(|host| host % count) {
            // Boxed, since it is part of everything that asks the database.
            match Box::pin(self.connect_in_time(host, role)).await {
                Ok(session) => {
                    self.first.store(host, Ordering::Release);
                    self.primary.send_if_modified(|primary| {
                        let before = std::mem::replace(primary, host);
                        before != host
                    });
                    return Ok(session);
                }
                Err(error) => {
                    // Who is not waited for any longer has tried this one, too.
                    let next = (host + 1) % count;
                    self.first.store(next, Ordering::Release);
                    failure = error;
                }
            }
        }
        Err(failure)
    }

    /// Each host by itself, with its name.
    pub(crate) fn apart(&self) -> Vec<(String, Self)> {
        let names = self.hosts.iter().map(|host| match name_of(host) {
            Some((name, port)) => format!("{name}:{port}"),
            None => "the socket of this machine".to_owned(),
        });
        let alone = self.hosts.iter().map(|host| Self {
            hosts: [host.clone()].into(),
            first: Arc::default(),
            ..self.clone()
        });
        names.zip(alone).collect()
    }

    /// The names and ports of the hosts that are reached over the network.
    pub(crate) fn names(&self) -> Vec<(String, u16)> {
        self.hosts.iter().filter_map(name_of).collect()
    }

    async fn connect_in_time(&self, host: usize, role: Role) -> Result<Session, StoreError> {
        let patience = match self.hosts.len() {
            1 => CONNECT_WITHIN,
            _ => CONNECT_TO_ONE_WITHIN,
        };
        // The library bounds only the connection of the socket.
        let connected = tokio::time::timeout(patience, self.connect_to(host, role)).await;
        connected.unwrap_or_else(|_| Err(no_answer()))
    }

    async fn connect_to(&self, host: usize, role: Role) -> Result<Session, StoreError> {
        let config = &self.hosts[host];
        let warned = Arc::new(AtomicBool::new(false));
        // Without a protection that it needs, the library opens nothing.
        let protection = self.protection.as_ref().filter(|_| is_protected(config));
        let client = match protection {
            Some(protection) => open(config, protection.current().await, &warned).await?,
            None => open(config, NoTls, &warned).await?,
        };
        let mut session = Session::new(client, warned, role);
        session.prepare_session(role).await?;
        self.history.check(&session).await?;
        if self.hosts.len() > 1 {
            session.belongs_to(host, self.primary.subscribe());
        }
        Ok(session)
    }
}

/// Where a host is, as the URL has it.
fn name_of(host: &Config) -> Option<(String, u16)> {
    let port = host.get_ports().first().copied().unwrap_or(5_432);
    match (host.get_hosts().first(), host.get_hostaddrs().first()) {
        (Some(Host::Tcp(name)), _) => Some((name.clone(), port)),
        (None, Some(address)) => Some((address.to_string(), port)),
        (Some(Host::Unix(_)) | None, _) => None,
    }
}

/// Opens a connection and has a task read from it.
async fn open<T>(config: &Config, tls: T, warned: &Arc<AtomicBool>) -> Result<Client, StoreError>
where
    T: MakeTlsConnect<Socket, Stream: Send + 'static>,
{
    let (client, mut connection) = config.connect(tls).await?;
    let heard = Arc::clone(warned);
    tokio::spawn(async move {
        let mut messages = poll_fn(move |context| connection.poll_message(context));
        while let Some(message) = messages.next().await {
            match message {
                Ok(AsyncMessage::Notice(notice)) if notice.severity() == "WARNING" => {
                    tracing::warn!(code = notice.code().code(), "PostgreSQL warned");
                    heard.store(true, Ordering::Release);
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    });
    Ok(client)
}

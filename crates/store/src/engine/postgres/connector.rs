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
use tokio_postgres::{AsyncMessage, Config, NoTls, config::Host};

use super::{Role, Session, no_answer};
use crate::StoreError;

/// How long a connection may take to be made, its greeting included.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The same where there are others: a host that says nothing must not keep a node from finding
/// the one that has followed it before whoever asks gives up.
const CONNECT_TO_ONE_WITHIN: Duration = Duration::from_secs(2);

/// How to reach the writable primary.
#[derive(Clone)]
pub(crate) struct Connector {
    hosts: Arc<[Config]>,
    /// Which host is tried first: behind one that failed, the next.
    first: Arc<AtomicUsize>,
    /// Which host was the primary last. Sessions with another are left.
    primary: watch::Sender<usize>,
}

impl Connector {
    pub(crate) fn new(url: &str) -> Result<Self, StoreError> {
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            StoreError::Refused(format!("database.url is not a PostgreSQL URL: {error}"))
        })?;
        if config.get_ssl_mode() == tokio_postgres::config::SslMode::Require {
            return Err(StoreError::Refused(
                "database.url asks for TLS (sslmode=require), which this release does not speak: \
                 use a local socket, loopback or an encrypted network and sslmode=disable"
                    .to_owned(),
            ));
        }
        config
            .application_name("conclave")
            .connect_timeout(Duration::from_secs(5))
            .tcp_user_timeout(Duration::from_secs(10))
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3)
            .target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
        Ok(Self {
            hosts: one_by_one(config).into(),
            first: Arc::default(),
            primary: watch::Sender::new(0),
        })
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
        let (client, mut connection) = self.hosts[host].connect(NoTls).await?;
        let warned = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&warned);
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
        let mut session = Session::new(client, warned, role);
        session.prepare_session(role).await?;
        if self.hosts.len() > 1 {
            session.belongs_to(host, self.primary.subscribe());
        }
        Ok(session)
    }
}

/// One configuration for each host, so that each has its own time.
fn one_by_one(config: Config) -> Vec<Config> {
    let count = config.get_hosts().len().max(config.get_hostaddrs().len());
    if count < 2 {
        return vec![config];
    }
    (0..count).map(|host| at_host(&config, host)).collect()
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

fn at_host(all: &Config, index: usize) -> Config {
    let mut one = Config::new();
    match all.get_hosts().get(index) {
        Some(Host::Tcp(name)) => {
            one.host(name);
        }
        Some(Host::Unix(path)) => {
            one.host_path(path);
        }
        None => {}
    }
    if let Some(address) = all.get_hostaddrs().get(index) {
        one.hostaddr(*address);
    }
    let ports = all.get_ports();
    if let Some(port) = ports.get(index).or_else(|| ports.first()) {
        one.port(*port);
    }
    if let Some(user) = all.get_user() {
        one.user(user);
    }
    if let Some(password) = all.get_password() {
        one.password(password);
    }
    if let Some(name) = all.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = all.get_options() {
        one.options(options);
    }
    if let Some(name) = all.get_application_name() {
        one.application_name(name);
    }
    if let Some(timeout) = all.get_connect_timeout() {
        one.connect_timeout(*timeout);
    }
    if let Some(timeout) = all.get_tcp_user_timeout() {
        one.tcp_user_timeout(*timeout);
    }
    if let Some(interval) = all.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = all.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.keepalives(all.get_keepalives())
        .keepalives_idle(all.get_keepalives_idle())
        .ssl_mode(all.get_ssl_mode())
        .channel_binding(all.get_channel_binding())
        .target_session_attrs(all.get_target_session_attrs());
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_keeps_what_the_url_says_of_all() {
        let url = "postgres://me:secret@a:1,b:2/chat?options=-cgeqo%3Doff";
        let connector = Connector::new(url).unwrap();
        let hosts: Vec<_> = connector.hosts.iter().collect();
        assert_eq!(hosts.len(), 2);
        for (host, (name, port)) in hosts.iter().zip([("a", 1), ("b", 2)]) {
            assert_eq!(host.get_hosts(), [Host::Tcp(name.to_owned())]);
            assert_eq!(host.get_ports(), [port]);
            assert_eq!(host.get_user(), Some("me"));
            assert_eq!(host.get_password(), Some(&b"secret"[..]));
            assert_eq!(host.get_dbname(), Some("chat"));
            assert_eq!(host.get_options(), Some("-cgeqo=off"));
            assert_eq!(
                host.get_target_session_attrs(),
                tokio_postgres::config::TargetSessionAttrs::ReadWrite
            );
        }
    }
}

//! A relay between a node and a server, which cuts connections where it is told, or falls silent.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// What asks PostgreSQL to commit.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// What PostgreSQL says when it has.
const COMMITTED: &[u8] = b"COMMIT\0";

/// Where the connection of the next COMMIT is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    Nowhere = 0,
    /// The server never hears of it.
    Before = 1,
    /// Half of it arrives.
    Within = 2,
    /// The server does it, and its answer does not arrive.
    BeforeAnswer = 3,
    /// It arrives, and the connection is gone at that very moment, whatever is done by then.
    AtOnce = 4,
}

impl Cut {
    pub(crate) const ALL: [Self; 4] =
        [Self::Before, Self::Within, Self::BeforeAnswer, Self::AtOnce];
}

/// Ends with the test's runtime.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    cut: AtomicU8,
    cuts: AtomicUsize,
    is_silent: watch::Sender<bool>,
}

impl Relay {
    /// Listens here for who wants this server.
    pub(crate) async fn start(listen: &str, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            cut: AtomicU8::new(Cut::Nowhere as u8),
            cuts: AtomicUsize::new(0),
            is_silent: watch::Sender::new(false),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    state.speaks().await;
                    // A server that is gone is gone for the node too.
                    let Ok(server) = TcpStream::connect(server).await else {
                        return;
                    };
                    drop(carry(node, server, &state).await);
                });
            }
        });
        Self { address, state }
    }

    /// Cuts the connection of the next COMMIT.
    pub(crate) fn cut(&self, cut: Cut) {
        self.state.cut.store(cut as u8, Ordering::SeqCst);
    }

    pub(crate) fn cuts(&self) -> usize {
        self.state.cuts.load(Ordering::SeqCst)
    }

    /// Carries nothing any more, and answers nobody, though connections are made; or goes on.
    pub(crate) fn silence(&self, is_silent: bool) {
        self.state.is_silent.send_replace(is_silent);
    }
}

impl State {
    async fn speaks(&self) {
        let mut silent = self.is_silent.subscribe();
        let spoke = silent.wait_for(|silent| !silent).await;
        spoke.map(drop).unwrap();
    }

    fn takes(&self) -> Cut {
        let order = self.cut.swap(Cut::Nowhere as u8, Ordering::SeqCst);
        let taken = Cut::ALL.into_iter().find(|cut| *cut as u8 == order);
        self.cuts
            .fetch_add(usize::from(taken.is_some()), Ordering::SeqCst);
        taken.unwrap_or(Cut::Nowhere)
    }
}

/// Whichever ends first ends the other: dropping the halves closes both connections.
async fn carry(node: TcpStream, server: TcpStream, state: &State) -> io::Result<()> {
    node.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_node, to_node) = node.into_split();
    let (from_server, to_server) = server.into_split();
    let withheld = watch::Sender::new(false);
    tokio::select! {
        ended = questions(from_node, to_server, state, &withheld) => ended,
        ended = answers(from_server, to_node, state, withheld.subscribe()) => ended,
    }
}

async fn questions(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &State,
    withheld: &watch::Sender<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while let count @ 1.. = from.read(&mut buffer).await? {
        let said = &buffer[..count];
        state.speaks().await;
        let commit = said.windows(COMMIT.len()).position(|bytes| bytes == COMMIT);
        let cut = commit.map_or(Cut::Nowhere, |_| state.takes());
        let at = commit.unwrap_or_default();
        match cut {
            Cut::Nowhere => to.write_all(said).await?,
            Cut::Before => return to.write_all(&said[..at]).await,
            Cut::Within => return to.write_all(&said[..at + COMMIT.len() / 2]).await,
            Cut::AtOnce => return to.write_all(said).await,
            Cut::BeforeAnswer => {
                withheld.send_replace(true);
                to.write_all(said).await?;
                // The connection ends when the answer has come.
                std::future::pending::<()>().await;
            }
        }
    }
    Ok(())
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &State,
    withheld: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut kept = Vec::new();
    while let count @ 1.. = from.read(&mut buffer).await? {
        state.speaks().await;
        if !*withheld.borrow() {
            to.write_all(&buffer[..count]).await?;
            continue;
        }
        kept.extend_from_slice(&buffer[..count]);
        if kept
            .windows(COMMITTED.len())
            .any(|bytes| bytes == COMMITTED)
        {
            break;
        }
    }
    Ok(())
}

/// The URL of a database that is reached here instead.
pub(crate) fn reached_at(url: &str, addresses: &[SocketAddr]) -> String {
    let (_, name) = url.rsplit_once('/').unwrap();
    let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    // Links between namespaces are no loopback.
    let addresses = addresses.join(",");
    format!("postgres://postgres@{addresses}/{name}?sslmode=disable")
}

/// Where a database listens.
pub(crate) fn server_of(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once('@').unwrap();
    let (address, _) = rest.split_once('/').unwrap();
    address.parse().unwrap()
}

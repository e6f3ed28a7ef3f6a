//! A TCP proxy between a node and PostgreSQL that can stall, or cut a connection at COMMIT.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
};

use store::Location;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::support::Db;

/// Where the next COMMIT's connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    Nowhere = 0,
    /// PostgreSQL never hears of the COMMIT.
    BeforeCommit = 1,
    /// PostgreSQL commits, and the node does not hear of it.
    BeforeAnswer = 2,
}

/// Ends with the test's runtime.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
    paused: watch::Sender<Pause>,
}

/// Which connections carry nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pause {
    None,
    All,
    /// Those that were numbered lower.
    OlderThan(usize),
}

#[derive(Default)]
struct State {
    cut: AtomicU8,
    cuts: AtomicUsize,
    refusing: AtomicBool,
    connections: AtomicUsize,
    fewest_trips: Mutex<Option<usize>>,
}

impl Proxy {
    pub(crate) async fn before(db: &Db) -> Self {
        let Location::Postgres(url) = &db.location else {
            panic!("only PostgreSQL is reached over TCP");
        };
        let config: tokio_postgres::Config = url.parse().unwrap();
        let server = ("127.0.0.1", config.get_ports()[0]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (paused, _) = watch::channel(Pause::None);
        let state = Arc::new(State::default());
        let (shared, pauses) = (Arc::clone(&state), paused.clone());
        tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                if shared.refusing.load(Ordering::SeqCst) {
                    continue;
                }
                let server = TcpStream::connect(server).await.unwrap();
                let gate = Gate {
                    number: shared.connections.fetch_add(1, Ordering::SeqCst),
                    pauses: pauses.subscribe(),
                };
                tokio::spawn(carry(node, server, Arc::clone(&shared), gate));
            }
        });
        Self {
            port,
            state,
            paused,
        }
    }

    /// Where a node finds the database through this proxy.
    pub(crate) fn location(&self, db: &Db) -> Location {
        let Location::Postgres(url) = &db.location else {
            panic!("only PostgreSQL is reached over TCP");
        };
        let config: tokio_postgres::Config = url.parse().unwrap();
        let (user, name) = (config.get_user().unwrap(), config.get_dbname().unwrap());
        Location::Postgres(format!("postgres://{user}@127.0.0.1:{}/{name}", self.port))
    }

    /// Cuts the connection of the next COMMIT.
    pub(crate) fn cut(&self, cut: Cut) {
        self.state.cut.store(cut as u8, Ordering::SeqCst);
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> usize {
        self.state.cuts.load(Ordering::SeqCst)
    }

    /// The fewest round trips that a batch took, from BEGIN to COMMIT.
    pub(crate) fn fewest_trips(&self) -> Option<usize> {
        *self.state.fewest_trips.lock().unwrap()
    }

    /// Carries nothing any more, or goes on; connections stay open.
    pub(crate) fn pause(&self, paused: bool) {
        let pause = if paused { Pause::All } else { Pause::None };
        self.paused.send_replace(pause);
    }

    /// Carries nothing any more on the connections that are open; new ones are carried.
    pub(crate) fn stall_open_connections(&self) {
        let next = self.state.connections.load(Ordering::SeqCst);
        self.paused.send_replace(Pause::OlderThan(next));
    }

    /// Closes new connections at once, or carries them again.
    pub(crate) fn refuse(&self, refusing: bool) {
        self.state.refusing.store(refusing, Ordering::SeqCst);
    }
}

impl State {
    /// Takes the order to cut, if it is this one.
    fn takes(&self, cut: Cut) -> bool {
        let order = &self.cut;
        let nowhere = Cut::Nowhere as u8;
        let taken = order
            .compare_exchange(cut as u8, nowhere, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok();
        if taken {
            self.cuts.fetch_add(1, Ordering::SeqCst);
        }
        taken
    }
}

/// Where one connection waits while it is paused.
#[derive(Clone)]
struct Gate {
    number: usize,
    pauses: watch::Receiver<Pause>,
}

impl Gate {
    /// Waits until this connection carries; false when the proxy is gone.
    async fn is_open(&mut self) -> bool {
        let number = self.number;
        let carries = |pause: &Pause| match *pause {
            Pause::None => true,
            Pause::All => false,
            Pause::OlderThan(next) => number >= next,
        };
        self.pauses.wait_for(carries).await.is_ok()
    }
}

async fn carry(node: TcpStream, server: TcpStream, state: Arc<State>, gate: Gate) {
    let (from_node, to_node) = node.into_split();
    let (from_server, to_server) = server.into_split();
    let (silence, silenced) = watch::channel(false);
    let answered = AtomicBool::new(false);
    // Whichever ends first ends the other: dropping the halves closes both connections.
    tokio::select! {
        () = requests(from_node, to_server, &state, &answered, gate.clone(), silence) => {}
        () = answers(from_server, to_node, &answered, gate, silenced) => {}
    }
}

/// Carries the node's messages one by one: a type, a length, a body; the first has no type.
async fn requests(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    state: &State,
    answered: &AtomicBool,
    mut gate: Gate,
    silence: watch::Sender<bool>,
) {
    let mut is_first = true;
    let mut trips = 0;
    while let Ok(message) = read_message(&mut from, is_first).await {
        is_first = false;
        // Whatever follows an answer begins a round trip.
        trips += usize::from(answered.swap(false, Ordering::SeqCst));
        if message.starts_with(b"Q") && &message[5..] == b"BEGIN\0" {
            trips = 1;
        }
        let is_commit = message.starts_with(b"Q") && &message[5..] == b"COMMIT\0";
        if is_commit {
            let mut fewest = state.fewest_trips.lock().unwrap();
            *fewest = Some(fewest.map_or(trips, |fewest: usize| fewest.min(trips)));
        }
        if is_commit && state.takes(Cut::BeforeCommit) {
            return;
        }
        let unanswered = is_commit && state.takes(Cut::BeforeAnswer);
        if unanswered {
            silence.send_replace(true);
        }
        if !gate.is_open().await || to.write_all(&message).await.is_err() {
            return;
        }
        if unanswered {
            // `answers` ends the connection when the answer has come.
            std::future::pending::<()>().await;
        }
    }
}

async fn read_message(
    from: &mut (impl AsyncRead + Unpin),
    is_first: bool,
) -> std::io::Result<Vec<u8>> {
    let head_bytes = if is_first { 4 } else { 5 };
    let mut message = vec![0; head_bytes];
    from.read_exact(&mut message).await?;
    let length = message[head_bytes - 4..]
        .try_into()
        .map(u32::from_be_bytes)
        .unwrap();
    message.resize(head_bytes - 4 + length as usize, 0);
    from.read_exact(&mut message[head_bytes..]).await?;
    Ok(message)
}

/// Carries what PostgreSQL says; once `silenced`, nothing more, and ends when it has committed.
async fn answers(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    answered: &AtomicBool,
    mut gate: Gate,
    silenced: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    let mut withheld = Vec::new();
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if *silenced.borrow() {
            withheld.extend_from_slice(&buffer[..count]);
            if withheld.windows(7).any(|tag| tag == b"COMMIT\0") {
                return;
            }
            continue;
        }
        answered.store(true, Ordering::SeqCst);
        if !gate.is_open().await || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

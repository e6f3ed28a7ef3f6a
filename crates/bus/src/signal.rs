//! What nodes tell each other.

use model::time::Timestamp;

use crate::NodeId;

/// A signal, and the node that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The node that gave the signal.
    pub from: NodeId,
    /// What it says.
    pub signal: Signal,
}

/// A signal. Rooms and users are the integers that stand for them in the deployment's
/// database, the same on all of its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A batch was committed: other nodes look at the log now.
    Poke,
    /// A node has come, or come back: the others say again what their users do. On NATS the bus
    /// itself gives it whenever a connection is made.
    Ask,
    /// Somebody types, or has stopped.
    Typing(Typing),
    /// Somebody's presence.
    Presence(Presence),
}

/// Whether a user types in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typing {
    /// The room.
    pub room: i64,
    /// The user.
    pub user: i64,
    /// Until when, unless it is said again; `None` when they have stopped.
    pub until: Option<Timestamp>,
}

/// A user's presence, until the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The user.
    pub user: i64,
    /// Whether they are there.
    pub activity: Activity,
    /// What they say of themselves.
    pub status: Option<String>,
    /// When they last did something.
    pub last_active_at: Timestamp,
    /// From when on this is no longer known: the giving node says it again before.
    pub until: Timestamp,
}

/// Whether a user is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// They do something.
    Online,
    /// They have done nothing for a while.
    Unavailable,
    /// They are away.
    Offline,
}

//! How signals are written for NATS: small JSON objects that carry their version.
//!
//! Nodes of two releases meet on one bus during an upgrade. A reader skips fields that it does
//! not know, and a version or a kind that it does not know as a whole.

use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Activity, Envelope, NodeId, Presence, Signal, Typing};

/// The version that this release writes, and the only one that it reads.
const VERSION: u64 = 1;

/// The longest message: a presence whose status is as long as may be, each byte of it escaped,
/// has room in it.
pub(crate) const LONGEST_BYTES: usize = 8 * 1024;

/// The longest status of a presence that is believed.
const LONGEST_STATUS_BYTES: usize = 1024;

/// Why a message says nothing to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// It is longer than any signal.
    TooLong,
    /// It is of a version or a kind that this release does not know.
    Unknown,
    /// It is no signal at all.
    Malformed,
}

#[derive(Deserialize)]
struct Head {
    v: u64,
    from: String,
    kind: String,
}

#[derive(Serialize)]
struct Frame {
    v: u64,
    from: String,
    #[serde(flatten)]
    body: Body,
}

/// A signal with its fields; times are in milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Body {
    Poke {},
    Ask {},
    Typing {
        room: i64,
        user: i64,
        until: Option<i64>,
    },
    Presence {
        user: i64,
        activity: WrittenActivity,
        status: Option<String>,
        last_active_at: i64,
        until: i64,
    },
}

const KINDS: [&str; 4] = ["poke", "ask", "typing", "presence"];

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenActivity {
    Online,
    Unavailable,
    Offline,
}

/// Writes a signal; `None` when it is too long to be sent.
pub fn encode(from: NodeId, signal: &Signal) -> Option<Vec<u8>> {
    let frame = Frame {
        v: VERSION,
        from: from.to_string(),
        body: Body::of(signal),
    };
    let bytes = serde_json::to_vec(&frame).expect("numbers and texts are JSON");
    (bytes.len() <= LONGEST_BYTES).then_some(bytes)
}

/// Reads a message from whoever may publish on NATS.
pub fn decode(bytes: &[u8]) -> Result<Envelope, Ignored> {
    if bytes.len() > LONGEST_BYTES {
        return Err(Ignored::TooLong);
    }
    let malformed = |_| Ignored::Malformed;
    let head: Head = serde_json::from_slice(bytes).map_err(malformed)?;
    if head.v != VERSION || !KINDS.contains(&&*head.kind) {
        return Err(Ignored::Unknown);
    }
    let from = head.from.parse().map_err(|_| Ignored::Malformed)?;
    let body: Body = serde_json::from_slice(bytes).map_err(malformed)?;
    let signal = body.into_signal().ok_or(Ignored::Malformed)?;
    Ok(Envelope { from, signal })
}

impl Body {
    fn of(signal: &Signal) -> Self {
        match signal {
            Signal::Poke => Self::Poke {},
            Signal::Ask => Self::Ask {},
            Signal::Typing(Typing { room, user, until }) => Self::Typing {
                room: *room,
                user: *user,
                until: until.map(Timestamp::as_millis),
            },
            Signal::Presence(presence) => Self::Presence {
                user: presence.user,
                activity: match presence.activity {
                    Activity::Online => WrittenActivity::Online,
                    Activity::Unavailable => WrittenActivity::Unavailable,
                    Activity::Offline => WrittenActivity::Offline,
                },
                status: presence.status.clone(),
                last_active_at: presence.last_active_at.as_millis(),
                until: presence.until.as_millis(),
            },
        }
    }

    fn into_signal(self) -> Option<Signal> {
        Some(match self {
            Self::Poke {} => Signal::Poke,
            Self::Ask {} => Signal::Ask,
            Self::Typing { room, user, until } => Signal::Typing(Typing {
                room,
                user,
                until: until.map(Timestamp::from_millis),
            }),
            Self::Presence {
                user,
                activity,
                status,
                last_active_at,
                until,
            } => {
                let length = status.as_ref().map_or(0, String::len);
                if length > LONGEST_STATUS_BYTES {
                    return None;
                }
                Signal::Presence(Presence {
                    user,
                    activity: match activity {
                        WrittenActivity::Online => Activity::Online,
                        WrittenActivity::Unavailable => Activity::Unavailable,
                        WrittenActivity::Offline => Activity::Offline,
                    },
                    status,
                    last_active_at: Timestamp::from_millis(last_active_at),
                    until: Timestamp::from_millis(until),
                })
            }
        })
    }
}

#[cfg(test)]
mod tests;

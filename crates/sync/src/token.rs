//! Sync tokens: opaque to clients, versioned, and bound to an epoch of the data.

use std::{fmt, str::FromStr};

use store::{Snapshot, StoreError};

use crate::Position;

/// What a client has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncToken {
    /// Rises when a restore or a failover lost something: older tokens start again.
    pub epoch: i64,
    /// The position in the log (log 1, the only one there is).
    pub pos: i64,
    /// The position of the last to-device message that was given.
    pub to_device_pos: i64,
    /// The node that counted `ephemeral_seq`, and how far it had counted.
    pub ephemeral: Ephemeral,
}

/// How far a client has seen what only travels on the bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ephemeral {
    /// The node that counts.
    pub node: u64,
    /// Its count.
    pub seq: u64,
}

/// The text is not a token of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a sync token of this server")]
pub struct BadToken;

const LOG_ID: i64 = 1;

impl fmt::Display for SyncToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            epoch,
            pos,
            to_device_pos,
            ephemeral: Ephemeral { node, seq },
        } = self;
        write!(
            formatter,
            "s1_{epoch}_{LOG_ID}_{pos}_{to_device_pos}_{node:x}_{seq}"
        )
    }
}

impl FromStr for SyncToken {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let mut parts = text.strip_prefix("s1_").ok_or(BadToken)?.split('_');
        let mut next = || parts.next().ok_or(BadToken);
        let epoch = number(next()?)?;
        let log_id = number(next()?)?;
        let pos = number(next()?)?;
        let to_device_pos = number(next()?)?;
        let node = u64::from_str_radix(next()?, 16).map_err(|_| BadToken)?;
        let seq = next()?.parse().map_err(|_| BadToken)?;
        if parts.next().is_some() || log_id != LOG_ID {
            return Err(BadToken);
        }
        Ok(Self {
            epoch,
            pos,
            to_device_pos,
            ephemeral: Ephemeral { node, seq },
        })
    }
}

fn number(text: &str) -> Result<i64, BadToken> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(BadToken);
    }
    text.parse().map_err(|_| BadToken)
}

/// A boundary in a room's timeline, as a token names it: it stands before the event with that
/// `ord`. Tokens of pages (`t…`), of syncs and positions of sliding syncs are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    epoch: i64,
    ord: i64,
}

impl Boundary {
    /// A boundary in the history that a snapshot shows.
    pub fn new(snapshot: &Snapshot, ord: i64) -> Self {
        let epoch = snapshot.epoch();
        Self { epoch, ord }
    }

    /// A boundary in the history of an epoch.
    pub(crate) const fn in_epoch(epoch: i64, ord: i64) -> Self {
        Self { epoch, ord }
    }

    /// The place in the history that a snapshot shows.
    ///
    /// A boundary of an earlier epoch that stands after the common history is where the two
    /// part: before it is what both have, behind it what the client has not seen.
    pub async fn ord_in(self, snapshot: &Snapshot) -> Result<i64, StoreError> {
        if self.epoch == snapshot.epoch() {
            return Ok(self.ord);
        }
        let common = snapshot.common_history(self.epoch).await?.get();
        Ok(self.ord.min(common.saturating_add(1)))
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "t{}_{}", self.epoch, self.ord)
    }
}

impl FromStr for Boundary {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let Some(boundary) = text.strip_prefix('t') else {
            let token: SyncToken = match text.parse::<Position>() {
                Ok(position) => position.token,
                Err(_) => text.parse()?,
            };
            return Ok(Self {
                epoch: token.epoch,
                ord: token.pos.saturating_add(1),
            });
        };
        let (epoch, ord) = boundary.split_once('_').ok_or(BadToken)?;
        let (sign, digits) = match ord.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, ord),
        };
        Ok(Self {
            epoch: number(epoch)?,
            ord: sign * number(digits)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_being_written_and_read() {
        let token = SyncToken {
            epoch: 3,
            pos: 1 << 40,
            to_device_pos: 7,
            ephemeral: Ephemeral {
                node: u64::MAX,
                seq: 9,
            },
        };
        assert_eq!(token.to_string().parse(), Ok(token));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in [
            "",
            "s",
            "s1_",
            "s1_1_1_1_1_0",
            "s1_1_1_1_1_0_0_0",
            "s1_1_2_1_1_0_0",
            "s1_-1_1_1_1_0_0",
            "s1_+1_1_1_1_0_0",
            "s1_1_1_99999999999999999999_1_0_0",
            "s2_1_1_1_1_0_0",
            "t1",
        ] {
            assert_eq!(text.parse::<SyncToken>(), Err(BadToken), "{text}");
        }
        let boundary = |epoch, ord| Ok(Boundary { epoch, ord });
        assert_eq!("t1_-5".parse(), boundary(1, -5));
        assert_eq!("s1_2_1_8_1_0_0".parse(), boundary(2, 9));
        assert_eq!("c5_s1_2_1_8_1_0_0".parse(), boundary(2, 9));
        for text in ["t", "t5", "t1_", "t1_--5", "t1_+5", "t-1_5", "t1_5_6"] {
            assert_eq!(text.parse::<Boundary>(), Err(BadToken), "{text}");
        }
    }
}

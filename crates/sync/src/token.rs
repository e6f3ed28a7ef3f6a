//! Sync tokens: opaque to clients, versioned, and bound to an epoch of the data.

use std::{fmt, str::FromStr};

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

/// The boundary in a room's timeline that a pagination token names: it stands before the event
/// with that `ord`. Both tokens of pages (`t…`) and sync tokens are understood.
pub fn timeline_boundary(token: &str) -> Result<i64, BadToken> {
    match token.strip_prefix('t') {
        Some(ord) => ord.parse().map_err(|_| BadToken),
        None => Ok(token.parse::<SyncToken>()?.pos.saturating_add(1)),
    }
}

/// The pagination token of a boundary.
pub fn boundary_token(ord: i64) -> String {
    format!("t{ord}")
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
        assert_eq!(timeline_boundary("t-5"), Ok(-5));
        assert_eq!(timeline_boundary("t"), Err(BadToken));
        assert_eq!(timeline_boundary("s1_1_1_8_1_0_0"), Ok(9));
    }
}

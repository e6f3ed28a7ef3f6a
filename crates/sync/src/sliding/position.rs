//! Positions of a connection: opaque to clients.

use std::{fmt, str::FromStr};

use crate::{BadToken, SyncToken};

/// What a client knows: what was kept of its connection, and the moment that it was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which state of the connection.
    pub generation: i64,
    /// The moment.
    pub token: SyncToken,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "c{}_{}", self.generation, self.token)
    }
}

impl FromStr for Position {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let rest = text.strip_prefix('c').ok_or(BadToken)?;
        let (generation, token) = rest.split_once('_').ok_or(BadToken)?;
        if !generation.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadToken);
        }
        Ok(Self {
            generation: generation.parse().map_err(|_| BadToken)?,
            token: token.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_being_written_and_read() {
        let position = Position {
            generation: 7,
            token: "s1_3_1_812_0_ab_9".parse().unwrap(),
        };
        assert_eq!(position.to_string(), "c7_s1_3_1_812_0_ab_9");
        assert_eq!(position.to_string().parse(), Ok(position));
        for text in [
            "",
            "c",
            "c_s1_3_1_812_0_ab_9",
            "c-1_s1_3_1_812_0_ab_9",
            "c1",
            "s1_3_1_812_0_ab_9",
        ] {
            assert_eq!(text.parse::<Position>(), Err(BadToken), "{text}");
        }
    }
}

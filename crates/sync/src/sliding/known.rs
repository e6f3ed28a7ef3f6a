//! What a client has been told of on one connection.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a client knows as of a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The rooms that it was told of.
    pub(crate) rooms: BTreeMap<i64, KnownRoom>,
    /// How each extension was asked for; zero where it was not.
    pub(crate) extensions: Extended,
}

/// What a client knows of one room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownRoom {
    /// Up to where it was told of it: everything up to the position, when this is absent.
    pub(crate) until: Option<i64>,
    /// Which state it was told: a hash of what it asked for.
    pub(crate) state: u64,
    /// How long a timeline it was told.
    pub(crate) timeline: u32,
}

/// Hashes of how extensions were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extended {
    #[serde(rename = "a")]
    pub(crate) account_data: u64,
    #[serde(rename = "r")]
    pub(crate) receipts: u64,
    #[serde(rename = "t")]
    pub(crate) typing: u64,
    #[serde(rename = "e")]
    pub(crate) e2ee: u64,
    #[serde(rename = "s")]
    pub(crate) threads: u64,
}

/// The stored form: most rooms were told in the same way.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "c")]
    ways: Vec<(u64, u32)>,
    #[serde(rename = "r")]
    rooms: Vec<(i64, usize, Option<i64>)>,
    #[serde(rename = "x")]
    extensions: Extended,
}

impl Known {
    /// The stored form: integers alone.
    pub(crate) fn to_text(&self) -> String {
        let mut ways: Vec<(u64, u32)> = Vec::new();
        let mut rooms = Vec::with_capacity(self.rooms.len());
        for (room, known) in &self.rooms {
            let way = (known.state, known.timeline);
            let place = ways.iter().position(|other| *other == way);
            let place = place.unwrap_or_else(|| {
                ways.push(way);
                ways.len() - 1
            });
            rooms.push((*room, place, known.until));
        }
        let stored = Stored {
            ways,
            rooms,
            extensions: self.extensions,
        };
        serde_json::to_string(&stored).expect("integers are JSON")
    }

    /// Reads the stored form; nothing when a later release wrote another one.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(text).ok()?;
        let known = |(room, way, until): &(i64, usize, Option<i64>)| {
            let (state, timeline) = *stored.ways.get(*way)?;
            let known = KnownRoom {
                until: *until,
                state,
                timeline,
            };
            Some((*room, known))
        };
        Some(Self {
            rooms: stored.rooms.iter().map(known).collect::<Option<_>>()?,
            extensions: stored.extensions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reads_back() {
        let room = |until, state, timeline| KnownRoom {
            until,
            state,
            timeline,
        };
        let known = Known {
            rooms: [
                (3, room(None, u64::MAX, 1)),
                (4, room(Some(70), u64::MAX, 1)),
                (9, room(None, 5, 20)),
            ]
            .into(),
            extensions: Extended {
                typing: 8,
                ..Extended::default()
            },
        };
        assert_eq!(Known::from_text(&known.to_text()), Some(known));
        assert_eq!(Known::from_text("{}"), None);
    }
}

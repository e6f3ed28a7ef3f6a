//! Where a page of results ended: opaque to clients.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

/// What a token begins with: its kind and version.
const PREFIX: &str = "f1";

/// The longest that one of ours is: a few numbers, and one id.
const LONGEST: usize = 1_024;

/// Where a page ended.
///
/// It says nothing that its holder may not know, and permits nothing: what it leads to is judged
/// as any other result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageToken {
    #[serde(rename = "e")]
    pub(crate) epoch: i64,
    /// The place before which results stand that were not looked at.
    #[serde(rename = "u")]
    pub(crate) until: i64,
    /// Of results before `until`, in the order of their rank, the last that was told.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<(u32, i64)>,
    /// About how many there are in all.
    #[serde(rename = "c")]
    pub(crate) count: u64,
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<Group>,
}

/// A part of the results.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Group {
    /// Those of one room.
    #[serde(rename = "r")]
    Room(OwnedRoomId),
    /// Those of one sender.
    #[serde(rename = "s")]
    Sender(OwnedUserId),
}

/// The text is not a token of a search here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token of a search")]
pub struct BadPageToken;

impl PageToken {
    /// The same place, from which only one group goes on.
    #[must_use]
    pub fn of_group(&self, group: Group) -> Self {
        Self {
            group: Some(group),
            ..self.clone()
        }
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(self).expect("numbers and ids are JSON");
        write!(formatter, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }
}

impl FromStr for PageToken {
    type Err = BadPageToken;

    fn from_str(text: &str) -> Result<Self, BadPageToken> {
        let coded = text.strip_prefix(PREFIX).ok_or(BadPageToken)?;
        if coded.len() > LONGEST {
            return Err(BadPageToken);
        }
        let json = URL_SAFE_NO_PAD.decode(coded).map_err(|_| BadPageToken)?;
        // A struct could also be read from an array, which none of ours is.
        match json.first() {
            Some(b'{') => serde_json::from_slice(&json).map_err(|_| BadPageToken),
            _ => Err(BadPageToken),
        }
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_room_id, owned_user_id};

    use super::*;

    #[test]
    fn a_token_survives_being_written_and_read() {
        let token = PageToken {
            epoch: 3,
            until: -7,
            after: Some((u32::MAX, i64::MIN)),
            count: 9,
            group: None,
        };
        let of_room = token.of_group(Group::Room(owned_room_id!("!会:example.org")));
        let of_sender = token.of_group(Group::Sender(owned_user_id!("@a_b:example.org")));
        for token in [token, of_room, of_sender] {
            assert_eq!(token.to_string().parse(), Ok(token));
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "f1", "f1!", "f1e30", "t1_5", "f2eyJlIjoxfQ"] {
            assert_eq!(text.parse::<PageToken>(), Err(BadPageToken), "{text}");
        }
        let long = format!("f1{}", "e".repeat(2_000));
        assert_eq!(long.parse::<PageToken>(), Err(BadPageToken));
        let not_a_user = URL_SAFE_NO_PAD.encode(r#"{"e":1,"u":1,"c":1,"g":{"s":"alice"}}"#);
        assert_eq!(
            format!("f1{not_a_user}").parse::<PageToken>(),
            Err(BadPageToken)
        );
    }
}

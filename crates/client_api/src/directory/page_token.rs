//! Where a page of the directory lies, as clients carry it.

use std::{fmt, str::FromStr};

use rooms::{DirectoryFrom, DirectoryPlace};
use ruma::OwnedRoomId;

/// A page, written as `d1_a_<members>_<room>` after a place and `d1_b_…` before one.
#[derive(Debug, PartialEq, Eq)]
pub struct PageToken(pub DirectoryFrom);

/// The text is not such a token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token of this server's directory")]
pub struct BadToken;

impl fmt::Display for PageToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, place) = match &self.0 {
            DirectoryFrom::Start => return formatter.write_str("d1_s"),
            DirectoryFrom::After(place) => ('a', place),
            DirectoryFrom::Before(place) => ('b', place),
        };
        write!(
            formatter,
            "d1_{side}_{}_{}",
            place.joined(),
            place.room_id()
        )
    }
}

impl FromStr for PageToken {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let rest = text.strip_prefix("d1_").ok_or(BadToken)?;
        if rest == "s" {
            return Ok(Self(DirectoryFrom::Start));
        }
        let (side, rest) = rest.split_once('_').ok_or(BadToken)?;
        let (joined, room_id) = rest.split_once('_').ok_or(BadToken)?;
        let joined = joined.parse().map_err(|_| BadToken)?;
        let room_id = OwnedRoomId::try_from(room_id).map_err(|_| BadToken)?;
        let place = DirectoryPlace::new(joined, room_id);
        match side {
            "a" => Ok(Self(DirectoryFrom::After(place))),
            "b" => Ok(Self(DirectoryFrom::Before(place))),
            _ => Err(BadToken),
        }
    }
}

#[cfg(test)]
mod tests {
    use ruma::owned_room_id;

    use super::*;

    #[test]
    fn a_token_says_what_it_was_made_of() {
        let place = DirectoryPlace::new(12, owned_room_id!("!with_bar:localhost"));
        for from in [
            DirectoryFrom::Start,
            DirectoryFrom::After(place.clone()),
            DirectoryFrom::Before(place),
        ] {
            let text = PageToken(from.clone()).to_string();
            assert_eq!(text.parse(), Ok(PageToken(from)), "{text}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in [
            "",
            "d1_",
            "d1_a",
            "d1_a_1",
            "d1_a_1_room",
            "d1_a_-1_!r:x",
            "d1_c_1_!r:x",
            "d2_a_1_!r:x",
            "s1_1_1_1_1_1_1",
        ] {
            assert_eq!(text.parse::<PageToken>(), Err(BadToken), "{text}");
        }
    }
}

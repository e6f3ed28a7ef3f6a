//! Identifiers people choose, and other text in clear, checked before anything is stored.

use ruma::{OwnedRoomAliasId, OwnedUserId, RoomAliasId, ServerName, UserId};

/// How many bytes an identifier may have, its sigil and server name included.
pub const MAX_ID_BYTES: usize = 255;

/// Why text may not stand in a column in clear.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum ClearTextRefusal {
    /// The text is empty where something is needed.
    #[error("it must not be empty")]
    Empty,
    /// The text is too long.
    #[error("it has {size_bytes} bytes, and the limit is {limit_bytes}")]
    TooLong {
        /// The length of the text.
        size_bytes: usize,
        /// The limit it exceeds.
        limit_bytes: usize,
    },
    /// The text holds a NUL, which PostgreSQL cannot store.
    #[error("it must not contain the character U+0000")]
    Nul,
}

/// Why an identifier was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdRefusal {
    /// A user name has other characters than new accounts may have.
    #[error("a user name consists of a-z, 0-9 and the characters . _ = - / +")]
    UserName,
    /// A room alias has a character that would make it ambiguous.
    #[error("the name of an alias must not contain a colon, a space or a control character")]
    Alias,
    /// The identifier is empty, too long or has a NUL.
    #[error("the {what} is not usable: {refusal}")]
    Text {
        /// What was to be named.
        what: &'static str,
        /// What is wrong with it.
        refusal: ClearTextRefusal,
    },
}

/// Lets `text` into a column in clear when it has at most `limit_bytes` and no NUL.
pub fn bounded_clear(text: &str, limit_bytes: usize) -> Result<&str, ClearTextRefusal> {
    if text.len() > limit_bytes {
        return Err(ClearTextRefusal::TooLong {
            size_bytes: text.len(),
            limit_bytes,
        });
    }
    if text.contains('\0') {
        return Err(ClearTextRefusal::Nul);
    }
    Ok(text)
}

/// Makes the id of a *new* account; existing accounts may have [historical] names.
///
/// [historical]: https://spec.matrix.org/v1.19/appendices/#historical-user-ids
pub fn new_user_id(localpart: &str, server: &ServerName) -> Result<OwnedUserId, IdRefusal> {
    named("user name", localpart)?;
    let allowed =
        |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'=' | b'-' | b'/' | b'+');
    if !localpart.bytes().all(allowed) {
        return Err(IdRefusal::UserName);
    }
    let id = format!("@{localpart}:{server}");
    bounded("user id", &id)?;
    UserId::parse(id).map_err(|_| IdRefusal::UserName)
}

/// Makes the alias `#localpart:server`.
pub fn new_room_alias(localpart: &str, server: &ServerName) -> Result<OwnedRoomAliasId, IdRefusal> {
    named("name of the alias", localpart)?;
    if localpart.contains(|c: char| c == ':' || c.is_whitespace() || c.is_control()) {
        return Err(IdRefusal::Alias);
    }
    let alias = format!("#{localpart}:{server}");
    bounded("alias", &alias)?;
    RoomAliasId::parse(alias).map_err(|_| IdRefusal::Alias)
}

/// Lets a device id through that a client chose: not empty, bounded, no NUL.
pub fn check_device_id(device_id: &str) -> Result<(), IdRefusal> {
    named("device id", device_id)?;
    bounded("device id", device_id)
}

/// Lets a transaction id through that a client chose: not empty, bounded, no NUL.
pub fn check_transaction_id(txn_id: &str) -> Result<(), IdRefusal> {
    named("transaction id", txn_id)?;
    bounded("transaction id", txn_id)
}

fn named(what: &'static str, text: &str) -> Result<(), IdRefusal> {
    if text.is_empty() {
        let refusal = ClearTextRefusal::Empty;
        return Err(IdRefusal::Text { what, refusal });
    }
    Ok(())
}

fn bounded(what: &'static str, text: &str) -> Result<(), IdRefusal> {
    bounded_clear(text, MAX_ID_BYTES)
        .map(drop)
        .map_err(|refusal| IdRefusal::Text { what, refusal })
}

#[cfg(test)]
mod tests {
    use ruma::server_name;

    use super::{
        ClearTextRefusal, IdRefusal, bounded_clear, check_device_id, new_room_alias, new_user_id,
    };

    #[test]
    fn new_accounts_have_the_strict_grammar() {
        let server = server_name!("example.org");
        for good in ["alice", "a.b_c=d-e/f+g", "0"] {
            assert_eq!(new_user_id(good, server).unwrap().localpart(), good);
        }
        for bad in ["Alice", "al ice", "älice", "a:b", "a@b", "a\0", "!"] {
            assert_eq!(new_user_id(bad, server), Err(IdRefusal::UserName), "{bad}");
        }
        assert!(new_user_id("", server).is_err());
    }

    #[test]
    fn the_whole_user_id_is_bounded() {
        let server = server_name!("example.org");
        let longest = 255 - "@:example.org".len();
        new_user_id(&"a".repeat(longest), server).unwrap();
        assert!(new_user_id(&"a".repeat(longest + 1), server).is_err());
    }

    #[test]
    fn aliases_may_have_any_script_but_no_colon_or_space() {
        let server = server_name!("example.org");
        for good in ["lobby", "会议室", "a/b#c"] {
            assert_eq!(new_room_alias(good, server).unwrap().alias(), good);
        }
        for bad in ["a:b", "a b", "a\0b", "a\nb", ""] {
            assert!(new_room_alias(bad, server).is_err(), "{bad:?}");
        }
        assert!(new_room_alias(&"界".repeat(90), server).is_err());
    }

    #[test]
    fn clear_text_is_bounded_in_bytes_and_free_of_nul() {
        assert_eq!(bounded_clear("abc", 3), Ok("abc"));
        assert!(bounded_clear("äb", 2).is_err());
        assert_eq!(bounded_clear("a\0", 3), Err(ClearTextRefusal::Nul));
        assert!(check_device_id("").is_err());
        assert!(check_device_id(&"D".repeat(256)).is_err());
        check_device_id("Ünser Gerät").unwrap();
    }
}

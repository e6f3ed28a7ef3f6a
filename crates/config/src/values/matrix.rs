//! Names that the Matrix specification defines.

use ruma::{OwnedServerName, RoomVersionId, ServerName};

use super::{Raw, Rejection, Value, quoted};

/// The specification allows 255 characters of host name, a colon and five digits.
const LONGEST_SERVER_NAME: usize = 261;

impl Value for OwnedServerName {
    fn accepts() -> String {
        "a host name or IP address, with or without a port, such as \"example.org\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        if text.len() > LONGEST_SERVER_NAME {
            return Err(Rejection::new("is longer than a server name may be"));
        }
        // Ids are compared byte by byte, so `Example.org` and `example.org` would be two servers.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(Rejection::new("has capital letters"));
        }
        ServerName::parse(text).map_err(|_| Rejection::new("is not a Matrix server name"))
    }

    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

impl Value for RoomVersionId {
    fn accepts() -> String {
        "\"1\" to \"12\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let version = match raw {
            Raw::Number(number) => number.to_string(),
            other => other.text()?.to_owned(),
        };
        let known = version
            .parse::<u8>()
            .is_ok_and(|number| (1..=12).contains(&number));
        // "+7" and "07" parse as numbers, but are no room versions.
        if !known || !version.starts_with(|first: char| ('1'..='9').contains(&first)) {
            return Err(Rejection::new("is not a room version this server knows"));
        }
        Self::try_from(version)
            .map_err(|_| Rejection::new("is not a room version this server knows"))
    }

    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

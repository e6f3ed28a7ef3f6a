//! Addresses of TURN servers.

use super::{Raw, Rejection, Value, quoted};

/// The address of a TURN server, as clients are told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnUri(String);

impl TurnUri {
    /// Gives the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for TurnUri {
    fn accepts() -> String {
        "a turn: or turns: address, such as \"turn:turn.example.org:3478?transport=udp\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        let rest = text
            .strip_prefix("turn:")
            .or_else(|| text.strip_prefix("turns:"))
            .ok_or_else(|| Rejection::new("is not a turn: or turns: address"))?;
        let odd = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '/';
        if rest.is_empty() || rest.starts_with('?') || rest.contains(odd) {
            return Err(Rejection::new(
                "names no host, or more than host and transport",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

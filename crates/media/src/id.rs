//! The ids of files, as they stand in `mxc://` addresses.

use std::fmt;

use model::entropy::{Entropy, random_text};

/// 192 bits: who does not know a file's address cannot guess it.
const LENGTH: usize = 32;

/// The id of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MediaId(String);

impl MediaId {
    pub(crate) fn generate(entropy: &dyn Entropy) -> Self {
        Self(random_text(entropy, LENGTH))
    }

    /// The id that a text is, if it can be one that this server has given.
    pub fn parse(text: &str) -> Option<Self> {
        let opaque = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (text.len() == LENGTH && text.bytes().all(opaque)).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

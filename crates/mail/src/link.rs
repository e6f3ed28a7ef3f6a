//! [`Link`]: an address of a page that may stand in a header.

/// The longest link in a header, which is one line of mail.
const MAX_BYTES: usize = 900;

/// An address of a page, of visible ASCII without the brackets that it stands in: it cannot end
/// the header that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link(String);

impl Link {
    /// Takes an address; none of what cannot stand in a header.
    pub fn new(address: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b',');
        let is_one = !address.is_empty() && address.len() <= MAX_BYTES;
        (is_one && address.bytes().all(fits)).then(|| Self(address.to_owned()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

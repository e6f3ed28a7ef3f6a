//! Tokens: long random text with a readable prefix, of which only the hash is stored.

use aws_lc_rs::digest;
use model::entropy::{Entropy, random_text};
use zeroize::Zeroizing;

use crate::rows::Hash;

/// The prefix of access tokens.
pub(crate) const ACCESS: &str = "cnv_a_";
/// The prefix of refresh tokens.
pub(crate) const REFRESH: &str = "cnv_r_";
/// The prefix of login tokens.
pub(crate) const LOGIN: &str = "cnv_l_";
/// The prefix of tokens that tell another service who somebody is.
pub(crate) const OPENID: &str = "cnv_o_";
/// The prefix of what links in mails carry.
pub(crate) const EMAIL: &str = "cnv_m_";
/// The prefix of the first administrator's link.
pub(crate) const SETUP: &str = "cnv_s_";

/// Random characters in a token: 258 bits.
const CHARACTERS: usize = 43;

/// The longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 1_024;

/// A token that was just made; it is shown once and never stored.
pub(crate) struct Secret {
    pub(crate) text: Zeroizing<String>,
    pub(crate) hash: Hash,
}

impl Secret {
    /// Makes a token.
    pub(crate) fn new(entropy: &dyn Entropy, prefix: &str) -> Self {
        let text = Zeroizing::new(format!("{prefix}{}", random_text(entropy, CHARACTERS)));
        let hash = hash(&text);
        Self { text, hash }
    }

    /// The token as its owner gets it.
    pub(crate) fn into_text(self) -> String {
        String::clone(&self.text)
    }
}

/// What is stored of a token.
pub(crate) fn hash(token: &str) -> Hash {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

/// The hash of a token that somebody presents, unless no token looks like it.
pub(crate) fn presented(token: &str) -> Option<Hash> {
    (!token.is_empty() && token.len() <= MAX_TOKEN_BYTES).then(|| hash(token))
}

#[cfg(test)]
mod tests {
    use testkit::entropy::SeededEntropy;

    use super::{ACCESS, Secret, hash, presented};

    #[test]
    fn tokens_have_at_least_256_random_bits_and_differ() {
        let entropy = SeededEntropy::new(1);
        let one = Secret::new(&entropy, ACCESS);
        let other = Secret::new(&entropy, ACCESS);
        let random = one.text.strip_prefix(ACCESS).unwrap();
        assert!(random.len() * 6 >= 256);
        assert_ne!(one.hash, other.hash);
        assert_eq!(one.hash, hash(&one.text));
    }

    #[test]
    fn what_cannot_be_a_token_is_not_looked_up() {
        assert_eq!(presented(""), None);
        assert_eq!(presented(&"x".repeat(1_025)), None);
    }
}

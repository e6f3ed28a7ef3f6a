//! Inviting somebody who is known by an address alone ([spec]): what the invitation names, and what
//! makes it one of a user.
//!
//! An event `m.room.third_party_invite` stands for somebody without saying who. It names a key;
//! whoever holds the other half of that key, here this server, signs for the user who has shown
//! that they are meant, and the rules of the room let that user be invited.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#third-party-invites

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, ServerName, UserId,
    serde::Base64,
    signatures::{Ed25519KeyPair, sign_json},
};

use crate::mail_address::MailAddress;

/// What stands before the seed of an Ed25519 key in PKCS#8 ([RFC 8410]).
///
/// [RFC 8410]: https://www.rfc-editor.org/rfc/rfc8410#section-7
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The key of one invitation.
pub struct InviteKey(Ed25519KeyPair);

impl InviteKey {
    /// The key that a secret seed makes: the same seed, the same key.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let document = [&PKCS8_PREFIX[..], seed].concat();
        let pair = Ed25519KeyPair::from_der(&document, "0".to_owned());
        Self(pair.expect("any 32 bytes are the seed of an Ed25519 key"))
    }

    /// Its public half.
    fn public(&self) -> [u8; 32] {
        self.0.public_key()
    }

    /// The public half, as events name it.
    pub fn public_text(&self) -> String {
        Base64::<ruma::serde::base64::Standard, _>::new(self.public()).encode()
    }

    /// Says in the name of a server that a user is whom the invitation with this token is for: the
    /// object `signed` of their member event.
    pub fn sign(&self, by: &ServerName, token: &str, user_id: &UserId) -> CanonicalJsonObject {
        let named = [("mxid", user_id.as_str()), ("token", token)];
        let named = named.map(|(name, value)| (name.to_owned(), CanonicalJsonValue::from(value)));
        let mut signed = CanonicalJsonObject::from(named);
        sign_json(by.as_str(), &self.0, &mut signed).expect("an object of two strings is signed");
        signed
    }
}

/// Reminds of an address those who know it: the first letter of each part, as in `a…@e…`.
///
/// It stands beside the user in the end, so it must not tell the address ([spec]).
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#mroomthird_party_invite
pub fn hint_at(address: &MailAddress) -> String {
    let (local, domain) = address.as_str().split_once('@').unwrap_or_default();
    let first = |part: &str| part.chars().next().unwrap_or('…');
    format!("{}…@{}…", first(local), first(domain))
}

#[cfg(test)]
mod tests {
    use ruma::{server_name, signatures::verify_canonical_json_bytes, user_id};

    use super::*;

    #[test]
    fn what_is_signed_holds_for_one_user_and_one_invitation() {
        let key = InviteKey::from_seed(&[7; 32]);
        let (by, ann) = (server_name!("example.org"), user_id!("@ann:example.org"));
        let mut signed = key.sign(by, "abc", ann);
        let signatures = signed.remove("signatures").unwrap();
        let signature = signatures.as_object().unwrap()["example.org"]
            .as_object()
            .unwrap();
        let signature = signature["ed25519:0"].as_str().unwrap().to_owned();
        let signature: Base64 = Base64::parse(signature).unwrap();
        let holds = |object: &CanonicalJsonObject, key: [u8; 32]| {
            let text = serde_json::to_string(object).unwrap();
            let algorithm = ruma::SigningKeyAlgorithm::Ed25519;
            verify_canonical_json_bytes(&algorithm, &key, signature.as_bytes(), text.as_bytes())
                .is_ok()
        };
        assert!(holds(&signed, key.public()));
        assert!(!holds(&signed, InviteKey::from_seed(&[8; 32]).public()));
        let mut other = signed.clone();
        other.insert("mxid".to_owned(), "@bob:example.org".into());
        assert!(!holds(&other, key.public()));
        let mut other = signed;
        other.insert("token".to_owned(), "abd".into());
        assert!(!holds(&other, key.public()));
    }

    #[test]
    fn a_hint_does_not_tell_the_address() {
        for (address, hint) in [("ann.lee@example.org", "a…@e…"), ("x@a.b", "x…@a…")] {
            let address = MailAddress::parse(address).unwrap();
            assert_eq!(hint_at(&address), hint);
        }
    }
}

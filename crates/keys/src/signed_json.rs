//! Signed JSON objects: parsed once, compared, verified, joined with more signatures.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, serde::Base64,
    signatures::to_canonical_json_string_for_signing,
};

/// A JSON object that carries signatures.
#[derive(Clone, Debug)]
pub(crate) struct SignedJson(CanonicalJsonObject);

impl SignedJson {
    /// Parses an object; `None` when it is none, or not canonical (fractions, huge numbers).
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        let CanonicalJsonValue::Object(object) = serde_json::from_slice(json).ok()? else {
            return None;
        };
        Some(Self(object))
    }

    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field).and_then(CanonicalJsonValue::as_str)
    }

    pub(crate) fn object(&self, field: &str) -> Option<&CanonicalJsonObject> {
        self.0.get(field).and_then(CanonicalJsonValue::as_object)
    }

    /// The texts in an array; `None` when the field is no array of texts.
    pub(crate) fn texts(&self, field: &str) -> Option<Vec<&str>> {
        let array = self.0.get(field)?.as_array()?;
        array.iter().map(CanonicalJsonValue::as_str).collect()
    }

    /// The signatures of one signer: key ids and signatures.
    pub(crate) fn signatures_of(&self, signer: &str) -> impl Iterator<Item = (&str, &str)> {
        self.object("signatures")
            .and_then(|signatures| signatures.get(signer))
            .and_then(CanonicalJsonValue::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(key, signature)| Some((key.as_str(), signature.as_str()?)))
    }

    /// The canonical text without `unsigned`: equal for uploads without news.
    pub(crate) fn stable_text(&self) -> String {
        let mut object = self.0.clone();
        object.remove("unsigned");
        to_text(object)
    }

    /// What signatures cover; `None` when it cannot be written.
    pub(crate) fn signed_text(&self) -> Option<String> {
        to_canonical_json_string_for_signing(&self.0).ok()
    }

    /// Whether `key` (base64) made this signature (base64) over this object.
    pub(crate) fn is_signed_by(&self, key: &str, signature: &str) -> bool {
        let (Some(text), Ok(key), Ok(signature)) = (
            self.signed_text(),
            Base64::<ruma::serde::base64::Standard>::parse(key),
            Base64::<ruma::serde::base64::Standard>::parse(signature),
        ) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, key.as_bytes())
            .verify(text.as_bytes(), signature.as_bytes())
            .is_ok()
    }

    /// Adds a signature to those that the object carries.
    pub(crate) fn add_signature(&mut self, signer: &str, key: &str, signature: &str) {
        let all = object_at(&mut self.0, "signatures");
        object_at(all, signer).insert(key.to_owned(), signature.into());
    }

    /// Replaces `unsigned` by the display name, or removes it.
    pub(crate) fn set_display_name(&mut self, name: Option<&str>) {
        self.0.remove("unsigned");
        if let Some(name) = name {
            object_at(&mut self.0, "unsigned")
                .insert("device_display_name".to_owned(), name.into());
        }
    }

    /// The canonical text of all of it.
    pub(crate) fn into_text(self) -> String {
        to_text(self.0)
    }
}

/// The object in a field, made when there is none.
fn object_at<'a>(object: &'a mut CanonicalJsonObject, field: &str) -> &'a mut CanonicalJsonObject {
    let value = object
        .entry(field.to_owned())
        .or_insert_with(|| CanonicalJsonValue::Object(CanonicalJsonObject::new()));
    if value.as_object().is_none() {
        *value = CanonicalJsonValue::Object(CanonicalJsonObject::new());
    }
    value.as_object_mut().expect("it was made an object above")
}

fn to_text(object: CanonicalJsonObject) -> String {
    CanonicalJsonValue::Object(object).to_string()
}

/// The canonical text of any JSON value; `None` when it is not canonical.
pub(crate) fn canonical_text(json: &str) -> Option<String> {
    let value: CanonicalJsonValue = serde_json::from_str(json).ok()?;
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    fn sign(seed: u8, object: &SignedJson) -> (String, String) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let encode = |bytes: &[u8]| Base64::<ruma::serde::base64::Standard, _>::new(bytes).encode();
        let signature = pair.sign(object.signed_text().unwrap().as_bytes());
        (
            encode(pair.public_key().as_ref()),
            encode(signature.as_ref()),
        )
    }

    #[test]
    fn a_signature_holds_for_its_object_and_key_alone() {
        let object = SignedJson::parse(br#"{"b":1,"a":"x","signatures":{},"unsigned":{"c":1}}"#);
        let object = object.unwrap();
        let (key, signature) = sign(7, &object);
        let (other_key, other_signature) = sign(8, &object);
        assert!(object.is_signed_by(&key, &signature));
        assert!(!object.is_signed_by(&other_key, &signature));
        assert!(!object.is_signed_by(&key, &other_signature));
        let changed = SignedJson::parse(br#"{"b":2,"a":"x"}"#).unwrap();
        assert!(!changed.is_signed_by(&key, &signature));
        let resigned = SignedJson::parse(br#"{"a":"x","b":1}"#).unwrap();
        assert!(resigned.is_signed_by(&key, &signature));
    }

    /// The signing example of the specification's appendix.
    #[test]
    fn the_signature_of_the_specification_is_accepted() {
        let key = "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI";
        let empty = SignedJson::parse(b"{}").unwrap();
        assert!(empty.is_signed_by(
            key,
            "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"
        ));
        let filled = SignedJson::parse(br#"{"one":1,"two":"Two"}"#).unwrap();
        assert!(filled.is_signed_by(
            key,
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"
        ));
    }

    #[test]
    fn rubbish_is_never_a_valid_signature() {
        let object = SignedJson::parse(b"{}").unwrap();
        for (key, signature) in [("", ""), ("!", "?"), ("AAAA", "AAAA"), ("\0", "\u{e9}")] {
            assert!(!object.is_signed_by(key, signature));
        }
    }

    #[test]
    fn signatures_and_names_are_added_to_what_is_there() {
        let mut object =
            SignedJson::parse(br#"{"signatures":{"@a:x":{"k":"1"}},"unsigned":{"z":1}}"#).unwrap();
        object.add_signature("@a:x", "l", "2");
        object.add_signature("@b:x", "m", "3");
        object.set_display_name(Some("phone"));
        assert_eq!(
            object.into_text(),
            r#"{"signatures":{"@a:x":{"k":"1","l":"2"},"@b:x":{"m":"3"}},"unsigned":{"device_display_name":"phone"}}"#
        );
    }

    #[test]
    fn fractions_and_huge_numbers_are_refused() {
        assert!(SignedJson::parse(b"{\"a\":1.5}").is_none());
        assert!(SignedJson::parse(b"{\"a\":1e40}").is_none());
        assert!(SignedJson::parse(b"[]").is_none());
    }
}

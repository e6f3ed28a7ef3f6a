//! People with devices and keys, whose signatures are real.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use keys::{CrossSigningUpload, KeysUpload};
use ruma::{
    CanonicalJsonObject, OwnedDeviceId, OwnedUserId,
    encryption::{CrossSigningKey, DeviceKeys},
    serde::{Base64, Raw, base64::Standard},
    signatures::to_canonical_json_string_for_signing,
};
use serde_json::{Value, json};

/// Somebody with one device.
pub(crate) struct Person {
    pub(crate) id: OwnedUserId,
    pub(crate) device: OwnedDeviceId,
    pub(crate) device_key: Signer,
    pub(crate) master: Signer,
    pub(crate) self_signing: Signer,
    pub(crate) user_signing: Signer,
}

pub(crate) struct Signer(Ed25519KeyPair);

impl Signer {
    pub(crate) fn new(seed: [u8; 2]) -> Self {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&seed);
        Self(Ed25519KeyPair::from_seed_unchecked(&bytes).unwrap())
    }

    pub(crate) fn public(&self) -> String {
        Base64::<Standard, _>::new(self.0.public_key().as_ref()).encode()
    }

    pub(crate) fn sign(&self, object: &Value) -> String {
        let object: CanonicalJsonObject = serde_json::from_value(object.clone()).unwrap();
        let text = to_canonical_json_string_for_signing(&object).unwrap();
        Base64::<Standard, _>::new(self.0.sign(text.as_bytes()).as_ref()).encode()
    }
}

pub(crate) fn person(number: u8) -> Person {
    Person {
        id: OwnedUserId::try_from(format!("@person{number}:example.org")).unwrap(),
        device: format!("DEVICE{number}").into(),
        device_key: Signer::new([number, 1]),
        master: Signer::new([number, 2]),
        self_signing: Signer::new([number, 3]),
        user_signing: Signer::new([number, 4]),
    }
}

impl Person {
    pub(crate) fn device_key_id(&self) -> String {
        format!("ed25519:{}", self.device)
    }

    /// The device's keys, signed by itself.
    pub(crate) fn device_keys(&self) -> Value {
        let mut keys = json!({
            "user_id": self.id,
            "device_id": self.device,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {
                format!("curve25519:{}", self.device): "3C5BFWi2Y8MaVvjM8M22DBmh24PmgR0nPvJOIArzgyI",
                self.device_key_id(): self.device_key.public(),
            },
        });
        let signature = self.device_key.sign(&keys);
        keys["signatures"] = json!({ self.id.as_str(): { self.device_key_id(): signature } });
        keys
    }

    pub(crate) fn upload(&self) -> KeysUpload {
        KeysUpload {
            user_id: self.id.clone(),
            device_id: self.device.clone(),
            device_keys: Some(raw::<DeviceKeys>(&self.device_keys())),
            one_time_keys: Default::default(),
            fallback_keys: Default::default(),
        }
    }

    pub(crate) fn master_key(&self) -> Value {
        cross_signing_key(&self.id, "master", &self.master)
    }

    /// A key that the master key signed.
    pub(crate) fn signed_key(&self, usage: &str, signer: &Signer) -> Value {
        let mut key = cross_signing_key(&self.id, usage, signer);
        let signature = self.master.sign(&key);
        let master = format!("ed25519:{}", self.master.public());
        key["signatures"] = json!({ self.id.as_str(): { master: signature } });
        key
    }

    pub(crate) fn cross_signing(&self) -> CrossSigningUpload {
        let self_signing = self.signed_key("self_signing", &self.self_signing);
        let user_signing = self.signed_key("user_signing", &self.user_signing);
        CrossSigningUpload {
            user_id: self.id.clone(),
            master_key: Some(raw::<CrossSigningKey>(&self.master_key())),
            self_signing_key: Some(raw(&self_signing)),
            user_signing_key: Some(raw(&user_signing)),
            authenticated: false,
        }
    }

    /// `object` with this person's signature instead of those it carries.
    pub(crate) fn signed(&self, object: &Value, key_id: &str, signer: &Signer) -> Value {
        let mut signed = object.clone();
        let signature = signer.sign(object);
        signed["signatures"] = json!({ self.id.as_str(): { key_id: signature } });
        signed
    }
}

pub(crate) fn cross_signing_key(user: &ruma::UserId, usage: &str, signer: &Signer) -> Value {
    let public = signer.public();
    json!({
        "user_id": user,
        "usage": [usage],
        "keys": { format!("ed25519:{public}"): public },
    })
}

pub(crate) fn raw<T>(value: &Value) -> Raw<T> {
    Raw::from_json_string(value.to_string()).unwrap()
}

/// What JSON there is in a [`Raw`].
pub(crate) fn value<T>(raw: &Raw<T>) -> Value {
    serde_json::from_str(raw.json().get()).unwrap()
}

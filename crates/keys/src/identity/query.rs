//! Reading identity keys, with the signatures that the reader may see.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join_all;
use ruma::{
    OwnedDeviceId, OwnedUserId, UserId,
    encryption::{CrossSigningKey, DeviceKeys},
    serde::Raw,
};
use seal::Place;
use store::{Reader, Row, StoreError};

use super::tables::{
    SignatureKey, Usage, cross_signing_place, device_place, signature_place, usage_of,
};
use crate::{Keys, dehydrated, signed_json::SignedJson};

/// The names that people gave their devices.
pub type DeviceNames = HashMap<(OwnedUserId, OwnedDeviceId), String>;

/// What a query found; users and devices without keys are absent.
#[derive(Clone, Debug, Default)]
pub struct QueriedKeys {
    /// Devices and their keys.
    pub device_keys: BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, Raw<DeviceKeys>>>,
    /// Master keys.
    pub master_keys: BTreeMap<OwnedUserId, Raw<CrossSigningKey>>,
    /// Self-signing keys.
    pub self_signing_keys: BTreeMap<OwnedUserId, Raw<CrossSigningKey>>,
    /// The asker's own user-signing key, if they asked for themselves.
    pub user_signing_keys: BTreeMap<OwnedUserId, Raw<CrossSigningKey>>,
}

/// How many users are read at the same time.
const AT_ONCE: usize = 32;

impl Keys {
    /// Finds the keys of users, with the signatures that `asker` may see.
    ///
    /// Signatures that somebody made on another user are shown to their maker alone. An empty
    /// list of devices asks for all of them.
    pub async fn query_keys(
        &self,
        reader: &Reader,
        asker: &UserId,
        asked: &BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
        names: &DeviceNames,
    ) -> Result<QueriedKeys, StoreError> {
        let mut found = QueriedKeys::default();
        let asked: Vec<_> = asked.iter().collect();
        for some in asked.chunks(AT_ONCE) {
            let reading = some
                .iter()
                .map(|(user, _)| self.stored_keys(reader, user, asker));
            let stored = try_join_all(reading).await?;
            for ((user, devices), stored) in some.iter().zip(stored) {
                if let Some(stored) = stored {
                    found.add(asker, user, devices, stored, names);
                }
            }
        }
        Ok(found)
    }

    /// A user's keys, with signatures; `None` when the user has never been named here.
    pub(super) async fn stored_keys(
        &self,
        reader: &Reader,
        user: &UserId,
        asker: &UserId,
    ) -> Result<Option<StoredKeys>, StoreError> {
        let names = self.log.database().names();
        let Some(user) = names.user(reader, user.as_str()).await? else {
            return Ok(None);
        };
        let asker_id = names.user(reader, asker.as_str()).await?.unwrap_or(user);
        let rows = SealedRows::read(reader, user, asker_id).await?;
        let keys = self.keyring.keys_of(reader, rows.sealed()?).await?;
        let mut stored = StoredKeys::default();
        for row in &rows.devices {
            let (device, id) = (row.text(0)?, device_place(user, row.text(0)?));
            let json = keys.open(place("device_keys", &id), row.bytes(2)?)?;
            stored.devices.insert(
                device.to_owned(),
                StoredDevice {
                    keys: parse(&json)?,
                    pos: row.int(1)?,
                },
            );
        }
        for row in &rows.cross_signing {
            let usage = usage_of(row.text(0)?)?;
            let id = cross_signing_place(user, usage);
            let json = keys.open(place("cross_signing_keys", &id), row.bytes(2)?)?;
            let public_key = row.text(1)?.to_owned();
            let key = parse(&json)?;
            stored
                .cross_signing
                .insert(usage, StoredCrossSigning { public_key, key });
        }
        if let Some(row) = &rows.dehydrated {
            let id = dehydrated::dehydrated_place(user, row.text(0)?);
            let name = keys.open(dehydrated::place("display_name", &id), row.bytes(1)?)?;
            let name = String::from_utf8_lossy(&name).into_owned();
            stored.dehydrated_name = Some((row.text(0)?.to_owned(), name));
        }
        let mut signers = HashMap::new();
        for row in &rows.signatures {
            let key: SignatureKey = (
                user,
                row.int(0)?,
                row.text(1)?.to_owned(),
                row.text(2)?.to_owned(),
            );
            let id = signature_place(&key);
            let signature = keys.open(place("key_signatures", &id), row.bytes(3)?)?;
            let signature = String::from_utf8_lossy(&signature);
            if let std::collections::hash_map::Entry::Vacant(entry) = signers.entry(key.1) {
                entry.insert(names.user_name(reader, key.1).await?);
            }
            stored.sign(&signers[&key.1], &key.2, &key.3, &signature);
        }
        Ok(Some(stored))
    }
}

fn place<'a>(table: &'static str, id: &'a str) -> Place<'a> {
    Place {
        table,
        column: "sealed",
        id,
    }
}

fn parse(json: &[u8]) -> Result<SignedJson, StoreError> {
    SignedJson::parse(json).ok_or_else(|| StoreError::Damaged("a key is not an object".to_owned()))
}

/// A user's rows as they are stored.
struct SealedRows {
    devices: Vec<Row>,
    cross_signing: Vec<Row>,
    signatures: Vec<Row>,
    /// The dehydrated device, if it has a name.
    dehydrated: Option<Row>,
}

impl SealedRows {
    async fn read(reader: &Reader, user: i64, asker: i64) -> Result<Self, StoreError> {
        const DEVICES: &str = "SELECT device_id, pos, sealed FROM device_keys WHERE user_id = $1";
        const CROSS_SIGNING: &str =
            "SELECT usage, public_key, sealed FROM cross_signing_keys WHERE user_id = $1";
        const SIGNATURES: &str = "SELECT signer, target_key, signer_key, sealed \
             FROM key_signatures WHERE target_user = $1 AND signer IN ($1, $2)";
        const DEHYDRATED: &str = "SELECT device_id, display_name FROM dehydrated_devices \
             WHERE user_id = $1 AND display_name IS NOT NULL";
        let params = [user.into()];
        let signers = [user.into(), asker.into()];
        let (devices, cross_signing, signatures, dehydrated) = futures_util::try_join!(
            reader.query(DEVICES, &params),
            reader.query(CROSS_SIGNING, &params),
            reader.query(SIGNATURES, &signers),
            reader.query_opt(DEHYDRATED, &params)
        )?;
        Ok(Self {
            devices,
            cross_signing,
            signatures,
            dehydrated,
        })
    }

    fn sealed(&self) -> Result<Vec<&[u8]>, StoreError> {
        let keys = self.devices.iter().chain(&self.cross_signing);
        keys.map(|row| row.bytes(2))
            .chain(self.signatures.iter().map(|row| row.bytes(3)))
            .chain(self.dehydrated.iter().map(|row| row.bytes(1)))
            .collect()
    }
}

/// A user's keys, opened.
#[derive(Default)]
pub(super) struct StoredKeys {
    pub(super) devices: BTreeMap<String, StoredDevice>,
    pub(super) cross_signing: BTreeMap<Usage, StoredCrossSigning>,
    /// The id and the name of the dehydrated device, if it has one.
    dehydrated_name: Option<(String, String)>,
}

pub(super) struct StoredDevice {
    pub(super) keys: SignedJson,
    pub(super) pos: i64,
}

pub(super) struct StoredCrossSigning {
    pub(super) public_key: String,
    pub(super) key: SignedJson,
}

impl StoredKeys {
    pub(super) fn public_key(&self, usage: Usage) -> Option<&str> {
        self.cross_signing
            .get(&usage)
            .map(|stored| stored.public_key.as_str())
    }

    fn sign(&mut self, signer: &str, target: &str, key: &str, signature: &str) {
        if let Some(device) = self.devices.get_mut(target) {
            device.keys.add_signature(signer, key, signature);
        }
        for stored in self.cross_signing.values_mut() {
            if stored.public_key == target {
                stored.key.add_signature(signer, key, signature);
            }
        }
    }
}

impl QueriedKeys {
    fn add(
        &mut self,
        asker: &UserId,
        user: &OwnedUserId,
        devices: &[OwnedDeviceId],
        stored: StoredKeys,
        names: &DeviceNames,
    ) {
        let stored_dehydrated = stored.dehydrated_name;
        let mut found = BTreeMap::new();
        for (device, stored) in stored.devices {
            let own_name = stored_name(stored_dehydrated.as_ref(), &device);
            let device = OwnedDeviceId::from(device);
            if !devices.is_empty() && !devices.contains(&device) {
                continue;
            }
            let mut keys = stored.keys;
            let name = names.get(&(user.clone(), device.clone()));
            keys.set_display_name(name.map(String::as_str).or(own_name));
            found.insert(device, raw(keys));
        }
        if !found.is_empty() {
            self.device_keys.insert(user.clone(), found);
        }
        for (usage, stored) in stored.cross_signing {
            let into = match usage {
                Usage::Master => &mut self.master_keys,
                Usage::SelfSigning => &mut self.self_signing_keys,
                Usage::UserSigning if user == asker => &mut self.user_signing_keys,
                Usage::UserSigning => continue,
            };
            into.insert(user.clone(), raw(stored.key));
        }
    }
}

/// The name of a dehydrated device, if this is it.
fn stored_name<'a>(dehydrated: Option<&'a (String, String)>, device: &str) -> Option<&'a str> {
    let (_, name) = dehydrated.filter(|(id, _)| id == device)?;
    Some(name)
}

fn raw<T>(object: SignedJson) -> Raw<T> {
    Raw::from_json_string(object.into_text()).expect("canonical JSON is JSON")
}

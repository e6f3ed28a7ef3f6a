//! How identity keys take part in a batch.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use seal::{KeySet, Keyring, Place, Scope};
use store::{Applier, CheckContext, Journal, Staged, StoreError, Tx, Value, Verdict, Writes};

use super::{
    cross_signing::PutCrossSigning,
    device_keys::PutDeviceKeys,
    signatures::AddSignatures,
    tables::{
        CrossRow, DROP_CROSS_SIGNING, DROP_DEVICE, DeviceRow, DropSignatures, PUT_CROSS_SIGNING,
        PUT_DEVICES, PUT_LIST_CHANGES, PUT_SIGNATURES, SignatureKey, Usage, cross_signing_place,
        device_place, load_user, signature_place,
    },
};

/// Applies changes to identity keys.
pub(crate) struct IdentityChanges {
    pub(crate) keyring: Keyring,
}

/// What is asked for.
pub(crate) enum IdentityChange {
    PutDeviceKeys(PutDeviceKeys),
    PutCrossSigning(PutCrossSigning),
    AddSignatures(AddSignatures),
    DropDevice { user: String, device: String },
    DropUser { user: String },
}

/// Why it is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdentityRefusal {
    /// Keys are replaced, and the caller did not prove who they are.
    NeedsAuthentication,
    /// There is no master key to sign the others.
    NoMasterKey,
    /// A public key equals the id of a device.
    KeyIdInUse,
    /// What was verified is no longer what is stored.
    Stale,
}

/// What a batch knows of the users it changes.
pub(crate) struct IdentityWork {
    users: HashMap<String, i64>,
    pub(super) devices: Staged<(i64, String), DeviceRow>,
    pub(super) cross_signing: Staged<(i64, Usage), CrossRow>,
    /// Only those that the batch adds.
    pub(super) signatures: Staged<SignatureKey, SignatureRow>,
    /// By position and user: who alone may see it.
    list_changes: Staged<(i64, i64), Option<i64>>,
    dropped: Journal<DropSignatures>,
    keys: KeySet,
}

/// A signature to be written.
pub(crate) struct SignatureRow {
    pub(super) signature: String,
    pub(super) pos: i64,
}

impl IdentityWork {
    /// The integer of a user that a change of the batch names.
    pub(super) fn user(&self, name: &str) -> i64 {
        self.users.get(name).copied().unwrap_or_default()
    }

    pub(super) fn devices_of(&self, user: i64) -> impl Iterator<Item = (&str, &DeviceRow)> {
        self.devices
            .from((user, String::new()))
            .take_while(move |((owner, _), _)| *owner == user)
            .map(|((_, device), row)| (device.as_str(), row))
    }

    /// Notes that a user's devices or keys changed.
    pub(super) fn note_change(
        &mut self,
        user: i64,
        seen_by: Option<i64>,
        context: &mut CheckContext<'_>,
    ) {
        self.list_changes.put((context.pos().get(), user), seen_by);
        context.touch_user(seen_by.unwrap_or(user));
    }

    pub(super) fn drop_signatures(&mut self, drop: DropSignatures) {
        let covered: Vec<SignatureKey> = self
            .signatures
            .iter()
            .filter(|(key, _)| drop.covers(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in covered {
            self.signatures.remove(&key);
        }
        self.dropped.push(drop);
    }

    fn drop_device(
        &mut self,
        user: i64,
        device: &str,
        context: &mut CheckContext<'_>,
    ) -> Verdict<bool> {
        let key = (user, device.to_owned());
        if self.devices.get(&key).is_none() {
            return Verdict::Nothing(false);
        }
        self.devices.remove(&key);
        self.drop_signatures(DropSignatures::On {
            user,
            key: device.to_owned(),
        });
        self.drop_signatures(DropSignatures::With {
            user,
            key: format!("ed25519:{device}"),
        });
        self.note_change(user, None, context);
        Verdict::Apply(true)
    }

    fn drop_user(&mut self, user: i64, context: &mut CheckContext<'_>) -> Verdict<bool> {
        let devices: Vec<String> = self.devices_of(user).map(|(id, _)| id.to_owned()).collect();
        let usages = Usage::ALL
            .into_iter()
            .filter(|usage| self.cross_signing.get(&(user, *usage)).is_some());
        let usages: Vec<Usage> = usages.collect();
        if devices.is_empty() && usages.is_empty() {
            return Verdict::Nothing(false);
        }
        for device in devices {
            self.devices.remove(&(user, device));
        }
        for usage in usages {
            self.cross_signing.remove(&(user, usage));
        }
        self.drop_signatures(DropSignatures::Of { user });
        self.note_change(user, None, context);
        Verdict::Apply(true)
    }
}

impl IdentityChange {
    fn users(&self) -> Vec<&str> {
        match self {
            Self::PutDeviceKeys(put) => vec![&put.user],
            Self::PutCrossSigning(put) => vec![&put.user],
            Self::AddSignatures(add) => add.users(),
            Self::DropDevice { user, .. } | Self::DropUser { user } => vec![user],
        }
    }
}

#[async_trait]
impl Applier for IdentityChanges {
    type Change = IdentityChange;
    /// Whether anything changed.
    type Outcome = bool;
    type Refusal = IdentityRefusal;
    type Work = IdentityWork;

    const KIND: &'static str = "keys.identity";

    fn size_bytes(change: &IdentityChange) -> usize {
        256 + match change {
            IdentityChange::PutDeviceKeys(put) => put.json.len(),
            IdentityChange::PutCrossSigning(put) => put.keys.iter().map(|key| key.json.len()).sum(),
            IdentityChange::AddSignatures(add) => add.signatures.len() * 512,
            IdentityChange::DropDevice { .. } | IdentityChange::DropUser { .. } => 0,
        }
    }

    async fn prepare(
        &self,
        tx: &Tx,
        changes: &[&IdentityChange],
    ) -> Result<IdentityWork, StoreError> {
        let names: BTreeSet<&str> = changes.iter().flat_map(|change| change.users()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let ids = tx.intern_users(&names).await?;
        let loaded = try_join_all(ids.iter().map(|id| load_user(tx, *id))).await?;
        let keys = self
            .keyring
            .keys_in(tx, ids.iter().copied().map(Scope::User))
            .await?;
        let mut work = IdentityWork {
            users: HashMap::new(),
            devices: Staged::default(),
            cross_signing: Staged::default(),
            signatures: Staged::default(),
            list_changes: Staged::default(),
            dropped: Journal::default(),
            keys,
        };
        for ((name, user), rows) in names.into_iter().zip(ids).zip(loaded) {
            work.users.insert(name.to_owned(), user);
            for (device, row) in rows.devices {
                work.devices.load((user, device), row);
            }
            for (usage, row) in rows.cross_signing {
                work.cross_signing.load((user, usage), row);
            }
        }
        Ok(work)
    }

    fn check(
        &self,
        work: &mut IdentityWork,
        change: &IdentityChange,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<bool>, IdentityRefusal> {
        match change {
            IdentityChange::PutDeviceKeys(put) => put.check(work, context),
            IdentityChange::PutCrossSigning(put) => put.check(work, context),
            IdentityChange::AddSignatures(add) => add.check(work, context),
            IdentityChange::DropDevice { user, device } => {
                let user = work.user(user);
                Ok(work.drop_device(user, device, context))
            }
            IdentityChange::DropUser { user } => {
                let user = work.user(user);
                Ok(work.drop_user(user, context))
            }
        }
    }

    fn settle(&self, work: &mut IdentityWork, keep: bool) {
        work.devices.settle(keep);
        work.cross_signing.settle(keep);
        work.signatures.settle(keep);
        work.list_changes.settle(keep);
        work.dropped.settle(keep);
    }

    fn write(&self, work: &mut IdentityWork, writes: &mut Writes) -> Result<(), StoreError> {
        // Drops first: what the batch adds afterwards is no longer among the staged rows.
        for drop in work.dropped.kept() {
            let (sql, params) = drop.statement();
            writes.execute(sql, params);
        }
        write_devices(work, writes)?;
        write_cross_signing(work, writes)?;
        write_signatures(work, writes)?;
        write_list_changes(work, writes);
        Ok(())
    }
}

fn write_devices(work: &IdentityWork, writes: &mut Writes) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for ((user, device), row) in work.devices.changed() {
        let Some(row) = row else {
            writes.execute(DROP_DEVICE, vec![(*user).into(), device.as_str().into()]);
            continue;
        };
        let place = Place {
            table: "device_keys",
            column: "sealed",
            id: &device_place(*user, device),
        };
        let sealed = work
            .keys
            .seal(Scope::User(*user), place, row.json.as_bytes())?;
        rows.push(vec![
            (*user).into(),
            device.as_str().into(),
            row.digest.clone().into(),
            sealed.into(),
            row.pos.into(),
        ]);
    }
    writes.insert(&PUT_DEVICES, rows);
    Ok(())
}

fn write_cross_signing(work: &IdentityWork, writes: &mut Writes) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for ((user, usage), row) in work.cross_signing.changed() {
        let Some(row) = row else {
            let params = vec![(*user).into(), usage.as_str().into()];
            writes.execute(DROP_CROSS_SIGNING, params);
            continue;
        };
        let place = Place {
            table: "cross_signing_keys",
            column: "sealed",
            id: &cross_signing_place(*user, *usage),
        };
        let sealed = work
            .keys
            .seal(Scope::User(*user), place, row.json.as_bytes())?;
        rows.push(vec![
            (*user).into(),
            usage.as_str().into(),
            row.public_key.as_str().into(),
            sealed.into(),
            row.pos.into(),
        ]);
    }
    writes.insert(&PUT_CROSS_SIGNING, rows);
    Ok(())
}

fn write_signatures(work: &IdentityWork, writes: &mut Writes) -> Result<(), StoreError> {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for (key, row) in work.signatures.changed() {
        // One that was added and dropped again in the same batch was never written.
        let Some(row) = row else { continue };
        let (target_user, signer, target_key, signer_key) = key;
        let place = Place {
            table: "key_signatures",
            column: "sealed",
            id: &signature_place(key),
        };
        let sealed = work
            .keys
            .seal(Scope::User(*signer), place, row.signature.as_bytes())?;
        rows.push(vec![
            (*target_user).into(),
            (*signer).into(),
            target_key.as_str().into(),
            signer_key.as_str().into(),
            sealed.into(),
            row.pos.into(),
        ]);
    }
    writes.insert(&PUT_SIGNATURES, rows);
    Ok(())
}

fn write_list_changes(work: &IdentityWork, writes: &mut Writes) {
    let rows: Vec<Vec<Value>> = work
        .list_changes
        .changed()
        .filter_map(|((pos, user), seen_by)| {
            seen_by.map(|seen_by| vec![(*pos).into(), (*user).into(), (*seen_by).into()])
        })
        .collect();
    writes.insert(&PUT_LIST_CHANGES, rows);
}

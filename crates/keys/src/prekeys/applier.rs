//! How one-time and fallback keys take part in a batch.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use seal::{KeySet, Keyring, Place, Scope};
use store::{Applier, CheckContext, Journal, Staged, StoreError, Tx, Value, Verdict, Writes};

use super::{
    tables::{
        Content, DROP_ALL_FALLBACK, DROP_ALL_ONE_TIME, DROP_FALLBACK, DROP_ONE_TIME,
        DROP_UNCLAIMED, FallbackKey, FallbackRow, OneTimeKey, OneTimeRow, PUT_FALLBACK,
        PUT_ONE_TIME, PrekeyRows, USE_FALLBACK, load_all, load_oldest, prekey_place,
    },
    uploaded::{CheckedPrekey, CheckedPrekeys},
};
use crate::limits;

/// Applies changes to one-time and fallback keys.
pub(crate) struct PrekeyChanges {
    pub(crate) keyring: Keyring,
}

/// What is asked for.
pub(crate) enum PrekeyChange {
    Upload {
        user: String,
        device: String,
        keys: CheckedPrekeys,
    },
    /// User, device and algorithm of each wanted key.
    Claim(Vec<(String, String, String)>),
    DropDevice {
        user: String,
        device: String,
    },
    DropUser {
        user: String,
    },
    /// After a restore: keys that may have been given away since the backup are worthless.
    DropUnclaimed,
}

/// What the caller learns.
pub(crate) enum PrekeyOutcome {
    /// How many unclaimed one-time keys the device has now, by algorithm.
    Counts(BTreeMap<String, u64>),
    /// The keys, in the order in which they were wanted; `None` where there is none.
    Claimed(Vec<Option<Claimed>>),
    Done,
}

/// A key that was given away.
pub(crate) struct Claimed {
    pub(crate) table: &'static str,
    pub(crate) place: String,
    pub(crate) key_id: String,
    pub(crate) content: Content,
}

/// Why it is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PrekeyRefusal {
    /// Another key has this id.
    Conflict(String),
    /// The device has enough one-time keys.
    TooMany,
}

/// What a batch knows of the devices it changes.
pub(crate) struct PrekeyWork {
    users: HashMap<String, i64>,
    one_time: Staged<OneTimeKey, OneTimeRow>,
    fallback: Staged<FallbackKey, FallbackRow>,
    /// Of whom all keys are dropped: of a device, or of all devices.
    dropped: Journal<(i64, Option<String>)>,
    /// One for each time that all unclaimed keys are dropped.
    dropped_unclaimed: Journal<()>,
    keys: KeySet,
}

#[async_trait]
impl Applier for PrekeyChanges {
    type Change = PrekeyChange;
    type Outcome = PrekeyOutcome;
    type Refusal = PrekeyRefusal;
    type Work = PrekeyWork;

    const KIND: &'static str = "keys.prekeys";

    fn size_bytes(change: &PrekeyChange) -> usize {
        256 + match change {
            PrekeyChange::Upload { keys, .. } => keys
                .all()
                .map(|key| key.json.len() + key.key_id.len())
                .sum(),
            PrekeyChange::Claim(wanted) => wanted.len() * 512,
            PrekeyChange::DropDevice { .. }
            | PrekeyChange::DropUser { .. }
            | PrekeyChange::DropUnclaimed => 0,
        }
    }

    async fn prepare(&self, tx: &Tx, changes: &[&PrekeyChange]) -> Result<PrekeyWork, StoreError> {
        let names: BTreeSet<&str> = changes.iter().flat_map(|change| change.users()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let ids = tx.intern_users(&names).await?;
        let scopes: BTreeSet<&str> = changes
            .iter()
            .filter_map(|change| change.sealer())
            .collect();
        let users: HashMap<String, i64> = names
            .iter()
            .map(|name| (*name).to_owned())
            .zip(ids)
            .collect();
        let scopes = scopes.iter().map(|name| Scope::User(users[*name]));
        let keys = self.keyring.keys_in(tx, scopes).await?;
        let mut work = PrekeyWork {
            one_time: Staged::default(),
            fallback: Staged::default(),
            dropped: Journal::default(),
            dropped_unclaimed: Journal::default(),
            keys,
            users,
        };
        for rows in load(tx, &work, changes).await? {
            for (key, row) in rows.one_time {
                work.one_time.load(key, row);
            }
            for (key, row) in rows.fallback {
                work.fallback.load(key, row);
            }
        }
        Ok(work)
    }

    fn check(
        &self,
        work: &mut PrekeyWork,
        change: &PrekeyChange,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<PrekeyOutcome>, PrekeyRefusal> {
        match change {
            PrekeyChange::Upload { user, device, keys } => {
                let user = work.user(user);
                work.upload(user, device, keys, context)
            }
            PrekeyChange::Claim(wanted) => Ok(work.claim_all(wanted, context)),
            PrekeyChange::DropDevice { user, device } => {
                let user = work.user(user);
                Ok(work.drop_of(user, Some(device)))
            }
            PrekeyChange::DropUser { user } => {
                let user = work.user(user);
                Ok(work.drop_of(user, None))
            }
            PrekeyChange::DropUnclaimed => Ok(work.drop_unclaimed()),
        }
    }

    fn settle(&self, work: &mut PrekeyWork, keep: bool) {
        work.one_time.settle(keep);
        work.fallback.settle(keep);
        work.dropped.settle(keep);
        work.dropped_unclaimed.settle(keep);
    }

    fn write(&self, work: &mut PrekeyWork, writes: &mut Writes) -> Result<(), StoreError> {
        if !work.dropped_unclaimed.kept().is_empty() {
            // First: what the batch uploads afterwards stays.
            writes.execute(DROP_UNCLAIMED, Vec::new());
            writes.execute(USE_FALLBACK, Vec::new());
        }
        for (user, device) in work.dropped.kept() {
            let params = vec![(*user).into(), device.as_deref().into()];
            writes.execute(DROP_ALL_ONE_TIME, params.clone());
            writes.execute(DROP_ALL_FALLBACK, params);
        }
        write_one_time(work, writes)?;
        write_fallback(work, writes)
    }
}

impl PrekeyChange {
    fn users(&self) -> Vec<&str> {
        match self {
            Self::Upload { user, .. } | Self::DropDevice { user, .. } | Self::DropUser { user } => {
                vec![user]
            }
            Self::Claim(wanted) => wanted.iter().map(|(user, _, _)| user.as_str()).collect(),
            Self::DropUnclaimed => Vec::new(),
        }
    }

    /// Whose data key will seal what this writes.
    fn sealer(&self) -> Option<&str> {
        match self {
            Self::Upload { user, .. } => Some(user),
            _ => None,
        }
    }
}

/// Reads what the checks depend on: all of what is uploaded to or dropped, and as many of the
/// oldest keys as are claimed.
async fn load(
    tx: &Tx,
    work: &PrekeyWork,
    changes: &[&PrekeyChange],
) -> Result<Vec<PrekeyRows>, StoreError> {
    let mut whole: BTreeSet<(i64, &str)> = BTreeSet::new();
    let mut claims: BTreeMap<(i64, &str, &str), i64> = BTreeMap::new();
    for change in changes {
        match change {
            PrekeyChange::Upload { user, device, .. } => {
                whole.insert((work.user(user), device));
            }
            PrekeyChange::Claim(wanted) => {
                for (user, device, algorithm) in wanted {
                    *claims
                        .entry((work.user(user), device, algorithm))
                        .or_default() += 1;
                }
            }
            // What is dropped need not be known.
            PrekeyChange::DropDevice { .. }
            | PrekeyChange::DropUser { .. }
            | PrekeyChange::DropUnclaimed => {}
        }
    }
    let devices = whole
        .iter()
        .map(|(user, device)| load_all(tx, *user, device));
    let oldest = claims.iter().map(|((user, device, algorithm), count)| {
        load_oldest(tx, *user, device, algorithm, *count)
    });
    let (mut rows, oldest) = futures_util::try_join!(try_join_all(devices), try_join_all(oldest))?;
    rows.extend(oldest);
    Ok(rows)
}

impl PrekeyWork {
    fn user(&self, name: &str) -> i64 {
        self.users.get(name).copied().unwrap_or_default()
    }

    fn keys_of<'a>(
        &'a self,
        user: i64,
        device: &'a str,
    ) -> impl Iterator<Item = (&'a OneTimeKey, &'a OneTimeRow)> {
        let first = (user, device.to_owned(), String::new(), String::new());
        self.one_time
            .from(first)
            .take_while(move |((owner, id, _, _), _)| *owner == user && id == device)
    }

    fn counts(&self, user: i64, device: &str) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for ((_, _, algorithm, _), row) in self.keys_of(user, device) {
            if row.claimed_pos.is_none() {
                *counts.entry(algorithm.clone()).or_default() += 1;
            }
        }
        counts
    }

    fn upload(
        &mut self,
        user: i64,
        device: &str,
        keys: &CheckedPrekeys,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<PrekeyOutcome>, PrekeyRefusal> {
        let mut changed = false;
        for key in &keys.one_time {
            changed |= self.add_one_time(user, device, key, context)?;
        }
        for key in &keys.fallback {
            changed |= self.set_fallback(user, device, key, context);
        }
        let counts = self.counts(user, device);
        if !changed {
            return Ok(Verdict::Nothing(PrekeyOutcome::Counts(counts)));
        }
        if counts.values().sum::<u64>() > limits::ONE_TIME_KEYS as u64 {
            return Err(PrekeyRefusal::TooMany);
        }
        self.forget_claimed(user, device);
        context.touch_device(user, device);
        Ok(Verdict::Apply(PrekeyOutcome::Counts(counts)))
    }

    /// Adds a key unless it is or was there: a retry must not bring a claimed key back.
    fn add_one_time(
        &mut self,
        user: i64,
        device: &str,
        key: &CheckedPrekey,
        context: &CheckContext<'_>,
    ) -> Result<bool, PrekeyRefusal> {
        let place = (
            user,
            device.to_owned(),
            key.algorithm.clone(),
            key.key_id.clone(),
        );
        if let Some(known) = self.one_time.get(&place) {
            if known.digest == key.digest {
                return Ok(false);
            }
            return Err(PrekeyRefusal::Conflict(format!(
                "{}:{}",
                key.algorithm, key.key_id
            )));
        }
        let row = OneTimeRow {
            digest: key.digest.clone(),
            content: Content::Plain(key.json.clone()),
            pos: context.pos().get(),
            claimed_pos: None,
        };
        self.one_time.put(place, row);
        Ok(true)
    }

    fn set_fallback(
        &mut self,
        user: i64,
        device: &str,
        key: &CheckedPrekey,
        context: &CheckContext<'_>,
    ) -> bool {
        let place = (user, device.to_owned(), key.algorithm.clone());
        let known = self.fallback.get(&place);
        if known.is_some_and(|known| known.key_id == key.key_id && known.digest == key.digest) {
            return false;
        }
        let row = FallbackRow {
            key_id: key.key_id.clone(),
            digest: key.digest.clone(),
            content: Content::Plain(key.json.clone()),
            used: false,
            pos: context.pos().get(),
        };
        self.fallback.put(place, row);
        true
    }

    /// Forgets all but the last claimed keys of a device.
    fn forget_claimed(&mut self, user: i64, device: &str) {
        let mut claimed: Vec<(i64, OneTimeKey)> = self
            .keys_of(user, device)
            .filter_map(|(key, row)| Some((row.claimed_pos?, key.clone())))
            .collect();
        claimed.sort_unstable();
        let too_many = claimed.len().saturating_sub(limits::CLAIMED_KEYS);
        for (_, key) in claimed.into_iter().take(too_many) {
            self.one_time.remove(&key);
        }
    }

    fn claim_all(
        &mut self,
        wanted: &[(String, String, String)],
        context: &mut CheckContext<'_>,
    ) -> Verdict<PrekeyOutcome> {
        let mut changed = false;
        let claimed = wanted
            .iter()
            .map(|(user, device, algorithm)| {
                let user = self.user(user);
                let (claimed, change) = self.claim(user, device, algorithm, context)?;
                if change {
                    context.touch_device(user, device);
                    changed = true;
                }
                Some(claimed)
            })
            .collect();
        if changed {
            Verdict::Apply(PrekeyOutcome::Claimed(claimed))
        } else {
            Verdict::Nothing(PrekeyOutcome::Claimed(claimed))
        }
    }

    /// Takes the oldest one-time key, or else the fallback key; tells whether that is a change.
    fn claim(
        &mut self,
        user: i64,
        device: &str,
        algorithm: &str,
        context: &CheckContext<'_>,
    ) -> Option<(Claimed, bool)> {
        let oldest = self
            .keys_of(user, device)
            .filter(|((_, _, of, _), row)| of == algorithm && row.claimed_pos.is_none())
            .min_by(|(one, row), (other, other_row)| {
                (row.pos, &one.3).cmp(&(other_row.pos, &other.3))
            });
        if let Some((key, row)) = oldest {
            let (key, mut row) = (key.clone(), row.clone());
            let content = std::mem::replace(&mut row.content, Content::Gone);
            row.claimed_pos = Some(context.pos().get());
            let claimed = Claimed {
                table: PUT_ONE_TIME.table,
                place: prekey_place(user, device, algorithm, &key.3),
                key_id: key.3.clone(),
                content,
            };
            self.one_time.put(key, row);
            return Some((claimed, true));
        }
        let place = (user, device.to_owned(), algorithm.to_owned());
        let mut row = self.fallback.get(&place)?.clone();
        let claimed = Claimed {
            table: PUT_FALLBACK.table,
            place: prekey_place(user, device, algorithm, &row.key_id),
            key_id: row.key_id.clone(),
            content: row.content.clone(),
        };
        let first_use = !row.used;
        if first_use {
            row.used = true;
            self.fallback.put(place, row);
        }
        Some((claimed, first_use))
    }

    /// Drops the keys of a device, or of all devices: those that the batch knows here, the
    /// others when it is written.
    fn drop_of(&mut self, user: i64, device: Option<&str>) -> Verdict<PrekeyOutcome> {
        let is_dropped =
            |owner: i64, id: &str| owner == user && device.is_none_or(|device| device == id);
        let one_time = self.one_time.iter().map(|(key, _)| key);
        let one_time: Vec<_> = one_time
            .filter(|(owner, id, _, _)| is_dropped(*owner, id))
            .cloned()
            .collect();
        let fallback = self.fallback.iter().map(|(key, _)| key);
        let fallback: Vec<_> = fallback
            .filter(|(owner, id, _)| is_dropped(*owner, id))
            .cloned()
            .collect();
        for key in one_time {
            self.one_time.remove(&key);
        }
        for key in fallback {
            self.fallback.remove(&key);
        }
        self.dropped.push((user, device.map(str::to_owned)));
        Verdict::Apply(PrekeyOutcome::Done)
    }

    /// Whether all keys of a device go when the batch is written, before what it adds.
    fn is_dropped(&self, user: i64, device: &str) -> bool {
        self.dropped
            .kept()
            .iter()
            .any(|(owner, id)| *owner == user && id.as_deref().is_none_or(|id| id == device))
    }

    /// Drops all unclaimed keys: those that the batch knows here, the others when it is written.
    fn drop_unclaimed(&mut self) -> Verdict<PrekeyOutcome> {
        let unclaimed = self.one_time.iter();
        let unclaimed: Vec<OneTimeKey> = unclaimed
            .filter(|(_, row)| row.claimed_pos.is_none())
            .map(|(key, _)| key.clone())
            .collect();
        for key in unclaimed {
            self.one_time.remove(&key);
        }
        let unused: Vec<(FallbackKey, FallbackRow)> = self
            .fallback
            .iter()
            .filter(|(_, row)| !row.used)
            .map(|(key, row)| (key.clone(), row.clone()))
            .collect();
        for (key, mut row) in unused {
            row.used = true;
            self.fallback.put(key, row);
        }
        self.dropped_unclaimed.push(());
        Verdict::Apply(PrekeyOutcome::Done)
    }

    /// The stored form of a key's content.
    fn sealed(
        &self,
        table: &'static str,
        user: i64,
        id: &str,
        content: &Content,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let column = "sealed";
        match content {
            Content::Gone => Ok(None),
            Content::Sealed(sealed) => Ok(Some(sealed.clone())),
            Content::Plain(json) => {
                let place = Place { table, column, id };
                let sealed = self.keys.seal(Scope::User(user), place, json.as_bytes())?;
                Ok(Some(sealed))
            }
        }
    }
}

fn write_one_time(work: &PrekeyWork, writes: &mut Writes) -> Result<(), StoreError> {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for ((user, device, algorithm, key_id), row) in work.one_time.changed() {
        let [device, algorithm, key_id] = [device, algorithm, key_id].map(String::as_str);
        let Some(row) = row else {
            if work.is_dropped(*user, device) {
                continue;
            }
            let key = [device, algorithm, key_id].map(Value::from);
            let params = [(*user).into()].into_iter().chain(key).collect();
            writes.execute(DROP_ONE_TIME, params);
            continue;
        };
        let id = prekey_place(*user, device, algorithm, key_id);
        let sealed = work.sealed(PUT_ONE_TIME.table, *user, &id, &row.content)?;
        rows.push(vec![
            (*user).into(),
            device.into(),
            algorithm.into(),
            key_id.into(),
            row.digest.clone().into(),
            sealed.into(),
            row.pos.into(),
            row.claimed_pos.into(),
        ]);
    }
    writes.insert(&PUT_ONE_TIME, rows);
    Ok(())
}

fn write_fallback(work: &PrekeyWork, writes: &mut Writes) -> Result<(), StoreError> {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for ((user, device, algorithm), row) in work.fallback.changed() {
        let [device, algorithm] = [device, algorithm].map(String::as_str);
        let Some(row) = row else {
            if work.is_dropped(*user, device) {
                continue;
            }
            let params = vec![(*user).into(), device.into(), algorithm.into()];
            writes.execute(DROP_FALLBACK, params);
            continue;
        };
        let id = prekey_place(*user, device, algorithm, &row.key_id);
        let sealed = work.sealed(PUT_FALLBACK.table, *user, &id, &row.content)?;
        rows.push(vec![
            (*user).into(),
            device.into(),
            algorithm.into(),
            row.key_id.as_str().into(),
            row.digest.clone().into(),
            sealed.into(),
            row.used.into(),
            row.pos.into(),
        ]);
    }
    writes.insert(&PUT_FALLBACK, rows);
    Ok(())
}

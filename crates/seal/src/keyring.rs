//! The keyring: finds data keys, makes them, and keeps the ones in use.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::try_join_all;
use model::{
    entropy::Entropy,
    time::{Clock, Timestamp},
};
use moka::sync::Cache;
use store::{Database, LocalWrite, Migration, Migrations, Reader, Row, StoreError, Tx};

use crate::{
    MasterKey, Place, Scope, SealError, Voucher,
    aead::{self, Cipher, KeyBytes, random_key},
    blind::{BlindIndex, BlindKey},
};

/// The keyring's tables.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "seal",
    steps: &[Migration {
        number: 1,
        name: "keyring",
        sql: include_str!("../migrations/0001_keyring.sql"),
    }],
};

/// The tables of the keyring, which a copy keeps in a file of their own.
pub const TABLES: [&str; 2] = ["seal_wrapping_keys", "seal_data_keys"];

pub(crate) const READ_WRAPPING_KEYS: &str =
    "SELECT id, wrapped FROM seal_wrapping_keys ORDER BY id";

const CACHED_KEYS: u64 = 20_000;

/// How often one key may seal: far below the 2^32 that random nonces allow, because other
/// nodes and earlier runs of this one have used the same key.
const SEALS: u64 = 1 << 28;

/// After this long a scope gets a new key, whatever the count.
const KEY_AGE: Duration = Duration::from_secs(32 * 86_400);

/// The scope text of the blind indexes' key.
const BLIND: &str = "blind";

/// Finds and makes keys. Cheap to clone.
#[derive(Clone)]
pub struct Keyring {
    inner: Arc<Inner>,
}

struct Inner {
    voucher: Voucher,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    /// By id; the newest one wraps new data keys.
    wrapping: Vec<Cipher>,
    blind: BlindKey,
    by_id: Cache<i64, Arc<DataKey>>,
    /// Only keys that are committed: what is sealed with a key that was rolled back is lost.
    by_scope: Cache<Scope, Arc<DataKey>>,
}

struct DataKey {
    cipher: Cipher,
    generation: i64,
    created_at: Timestamp,
    seals: AtomicU64,
}

impl Keyring {
    /// Unlocks the keyring of a database; makes its first keys when it is new.
    ///
    /// Call it before the log starts.
    pub async fn unlock(
        database: &Database,
        master: MasterKey,
        entropy: Arc<dyn Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SealError> {
        if database.query(READ_WRAPPING_KEYS, &[]).await?.is_empty() {
            make_first_keys(database, &master, &*entropy, clock.now()).await?;
        }
        let mut wrapping = Vec::new();
        for row in database.query(READ_WRAPPING_KEYS, &[]).await? {
            let id = row.int(0)?;
            let key = master.cipher.open(&wrapping_place(id), row.bytes(1)?);
            let key = key
                .and_then(|key| <[u8; 32]>::try_from(key).ok())
                .ok_or_else(|| {
                    SealError::MasterKey("this is not the master key of this database".to_owned())
                })?;
            wrapping.push(Cipher::new(id, &KeyBytes::new(key)));
        }
        let row = database.query_opt(READ_BY_SCOPE, &[BLIND.into()]).await?;
        let row = row.ok_or_else(|| SealError::NotPrepared(BLIND.to_owned()))?;
        let id = row.int(0)?;
        let key = unwrap(&wrapping, id, BLIND, row.bytes(2)?)?;
        let blind = BlindKey::new(id, &key);
        let (by_id, by_scope) = (Cache::new(CACHED_KEYS), Cache::new(CACHED_KEYS));
        let inner = Inner {
            voucher: master.voucher().clone(),
            entropy,
            clock,
            wrapping,
            blind,
            by_id,
            by_scope,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Inside a batch: the data keys of these scopes, made when they are missing.
    pub async fn keys_in(
        &self,
        tx: &Tx,
        scopes: impl IntoIterator<Item = Scope>,
    ) -> Result<KeySet, StoreError> {
        let mut set = self.empty_set();
        let mut unknown = Vec::new();
        for scope in scopes {
            if set.by_scope.contains_key(&scope) || unknown.contains(&scope) {
                continue;
            }
            match self.inner.by_scope.get(&scope) {
                Some(key) if self.is_fresh(&key) => set.add_for(scope, key),
                _ => unknown.push(scope),
            }
        }
        let found = unknown.into_iter().map(|scope| async move {
            let key = self.find_or_make(tx, scope).await?;
            Ok::<_, StoreError>((scope, key))
        });
        for (scope, key) in try_join_all(found).await? {
            let (inner, committed) = (Arc::clone(&self.inner), Arc::clone(&key));
            tx.on_commit(move || {
                inner
                    .by_id
                    .insert(committed.cipher.id(), Arc::clone(&committed));
                inner.by_scope.insert(scope, committed);
            });
            set.add_for(scope, key);
        }
        Ok(set)
    }

    /// For reading: the keys that these sealed values name.
    pub async fn keys_of<'a>(
        &self,
        reader: &Reader,
        sealed: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<KeySet, StoreError> {
        let mut set = self.empty_set();
        let mut unknown = Vec::new();
        for id in sealed.into_iter().filter_map(aead::key_id_of) {
            if set.by_id.contains_key(&id) || unknown.contains(&id) {
                continue;
            }
            match self.inner.by_id.get(&id) {
                Some(key) => drop(set.by_id.insert(id, key)),
                None => unknown.push(id),
            }
        }
        let found = unknown.into_iter().map(|id| async move {
            let row = reader.query_opt(READ_BY_ID, &[id.into()]).await?;
            row.map(|row| self.data_key(&row)).transpose()
        });
        for key in try_join_all(found).await?.into_iter().flatten() {
            // Even a key that is rolled back may stay here: nothing sealed with it stays.
            self.inner.by_id.insert(key.cipher.id(), Arc::clone(&key));
            set.by_id.insert(key.cipher.id(), key);
        }
        Ok(set)
    }

    /// Opens one value.
    pub async fn open(
        &self,
        reader: &Reader,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        self.keys_of(reader, [sealed]).await?.open(place, sealed)
    }

    /// A keyed hash, for finding equal values without showing them; each purpose has a key
    /// of its own.
    pub fn blind(&self, purpose: &'static str, data: &[u8]) -> [u8; 32] {
        self.inner.blind.hash(purpose, data)
    }

    /// A blind index about one thing, such as one room, with a key of its own.
    pub fn blind_index(&self, purpose: &'static str, about: &[u8]) -> BlindIndex {
        let entropy = Arc::clone(&self.inner.entropy);
        self.inner.blind.index(purpose, about, entropy)
    }

    /// What the master key vouches with.
    pub fn voucher(&self) -> &Voucher {
        &self.inner.voucher
    }

    fn empty_set(&self) -> KeySet {
        KeySet {
            entropy: Arc::clone(&self.inner.entropy),
            by_scope: HashMap::new(),
            by_id: HashMap::new(),
        }
    }

    fn is_fresh(&self, key: &DataKey) -> bool {
        key.seals.load(Ordering::Relaxed) < SEALS
            && self.inner.clock.now().since(key.created_at) < KEY_AGE
    }

    async fn find_or_make(&self, tx: &Tx, scope: Scope) -> Result<Arc<DataKey>, StoreError> {
        let text = scope.to_string();
        let newest = self.newest(tx, &text).await?;
        if let Some(key) = &newest
            && self.is_fresh(key)
            && self.inner.by_scope.get(&scope).is_none_or(|cached| {
                // The cached key is worn out: only a later one will do.
                self.is_fresh(&cached) || cached.generation < key.generation
            })
        {
            return Ok(Arc::clone(key));
        }
        let generation = newest.map_or(1, |key| key.generation + 1);
        let now = self.inner.clock.now();
        let made = make(&self.inner.wrapping, &*self.inner.entropy, &text)?;
        let params = [
            made.id.into(),
            text.as_str().into(),
            generation.into(),
            made.wrapped.into(),
            now.as_millis().into(),
        ];
        tx.execute(WRITE_DATA_KEY, &params).await?;
        // Another applier of this batch may have been first.
        let key = self.newest(tx, &text).await?;
        key.ok_or_else(|| SealError::NotPrepared(text).into())
    }

    async fn newest(&self, tx: &Tx, scope: &str) -> Result<Option<Arc<DataKey>>, StoreError> {
        let row = tx.query_opt(READ_BY_SCOPE, &[scope.into()]).await?;
        row.map(|row| self.data_key(&row)).transpose()
    }

    fn data_key(&self, row: &Row) -> Result<Arc<DataKey>, StoreError> {
        let id = row.int(0)?;
        let key = unwrap(&self.inner.wrapping, id, row.text(1)?, row.bytes(2)?)?;
        Ok(Arc::new(DataKey {
            cipher: Cipher::new(id, &key),
            generation: row.int(3)?,
            created_at: Timestamp::from_millis(row.int(4)?),
            seals: AtomicU64::new(0),
        }))
    }
}

/// The keys that a batch or a reading needs.
pub struct KeySet {
    entropy: Arc<dyn Entropy>,
    by_scope: HashMap<Scope, Arc<DataKey>>,
    by_id: HashMap<i64, Arc<DataKey>>,
}

impl KeySet {
    /// Seals a value with the key of its scope.
    pub fn seal(&self, scope: Scope, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.by_scope.get(&scope);
        let key = key.ok_or_else(|| SealError::NotPrepared(scope.to_string()))?;
        key.seals.fetch_add(1, Ordering::Relaxed);
        Ok(key
            .cipher
            .seal(&*self.entropy, &place.associated_data(), plain))
    }

    /// Opens a value that stands at `place`.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let Place { table, column, .. } = place;
        let refused = || SealError::DoesNotOpen { table, column };
        let id = aead::key_id_of(sealed).ok_or_else(refused)?;
        let key = self.by_id.get(&id).ok_or(SealError::NoSuchKey(id))?;
        key.cipher
            .open(&place.associated_data(), sealed)
            .ok_or_else(refused)
    }

    fn add_for(&mut self, scope: Scope, key: Arc<DataKey>) {
        self.by_id.insert(key.cipher.id(), Arc::clone(&key));
        self.by_scope.insert(scope, key);
    }
}

const READ_BY_SCOPE: &str = "SELECT id, scope, wrapped, generation, created_at \
     FROM seal_data_keys WHERE scope = $1 ORDER BY generation DESC LIMIT 1";
const READ_BY_ID: &str =
    "SELECT id, scope, wrapped, generation, created_at FROM seal_data_keys WHERE id = $1";
const WRITE_DATA_KEY: &str = "INSERT INTO seal_data_keys (id, scope, generation, wrapped, created_at) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (scope, generation) DO NOTHING";
const WRITE_WRAPPING_KEY: &str = "INSERT INTO seal_wrapping_keys (id, wrapped, created_at) \
     VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";

/// Where a wrapped wrapping key stands.
pub(crate) fn wrapping_place(id: i64) -> Vec<u8> {
    let id = id.to_string();
    Place {
        table: "seal_wrapping_keys",
        column: "wrapped",
        id: &id,
    }
    .associated_data()
}

/// Where a wrapped data key stands: bound to its id and to what it covers.
fn data_key_place(id: i64, scope: &str) -> Vec<u8> {
    let id = format!("{id}:{scope}");
    Place {
        table: "seal_data_keys",
        column: "wrapped",
        id: &id,
    }
    .associated_data()
}

struct Made {
    id: i64,
    wrapped: Vec<u8>,
}

fn make(wrapping: &[Cipher], entropy: &dyn Entropy, scope: &str) -> Result<Made, SealError> {
    let newest = wrapping
        .last()
        .ok_or_else(|| SealError::NotPrepared(scope.to_owned()))?;
    let mut id = [0; 8];
    entropy.fill(&mut id);
    // Random, because it is part of what the wrapped key is bound to; never the master's.
    let id = i64::from_be_bytes(id).unsigned_abs().max(1) as i64 & i64::MAX;
    let key = random_key(entropy);
    Ok(Made {
        id,
        wrapped: newest.seal(entropy, &data_key_place(id, scope), &*key),
    })
}

fn unwrap(
    wrapping: &[Cipher],
    id: i64,
    scope: &str,
    wrapped: &[u8],
) -> Result<KeyBytes, SealError> {
    let refused = || SealError::DoesNotOpen {
        table: "seal_data_keys",
        column: "wrapped",
    };
    let by = aead::key_id_of(wrapped).ok_or_else(refused)?;
    let cipher = wrapping
        .iter()
        .find(|cipher| cipher.id() == by)
        .ok_or(SealError::NoSuchKey(by))?;
    let key = cipher
        .open(&data_key_place(id, scope), wrapped)
        .ok_or_else(refused)?;
    let key = zeroize::Zeroizing::new(key);
    Ok(KeyBytes::new(
        <[u8; 32]>::try_from(key.as_slice()).map_err(|_| refused())?,
    ))
}

/// The first wrapping key and the blind indexes' key. Two nodes may start at once: the first
/// to commit is right, and both read what stands afterwards.
async fn make_first_keys(
    database: &Database,
    master: &MasterKey,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<(), SealError> {
    let now = now.as_millis();
    let key = random_key(entropy);
    let wrapped = master.cipher.seal(entropy, &wrapping_place(1), &*key);
    let blind = make(&[Cipher::new(1, &key)], entropy, BLIND)?;
    let write = LocalWrite::new()
        .and(
            WRITE_WRAPPING_KEY,
            vec![1.into(), wrapped.into(), now.into()],
        )
        .and(
            WRITE_DATA_KEY,
            vec![
                blind.id.into(),
                BLIND.into(),
                1.into(),
                blind.wrapped.into(),
                now.into(),
            ],
        );
    database.initialise(&write).await?;
    Ok(())
}

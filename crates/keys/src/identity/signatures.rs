//! Signatures on devices and master keys.

use std::collections::BTreeMap;

use ruma::{OwnedUserId, UserId, api::client::keys::upload_signatures::v3::SignedKeys};
use store::{CheckContext, CommitError, Intent, Reader, StoreError, Verdict};

use super::{
    applier::{IdentityChange, IdentityChanges, IdentityRefusal, IdentityWork, SignatureRow},
    query::StoredKeys,
    tables::Usage,
};
use crate::{Keys, limits, signed_json::SignedJson};

/// Why a signature is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFailure {
    /// The user has no such device or master key.
    #[error("there is no such key")]
    NotFound,
    /// The object is not the stored one, or nobody who may sign it did so validly.
    #[error("the signature is invalid")]
    Invalid,
}

/// What was not taken, by user and key; the rest was.
pub type SignatureFailures = BTreeMap<OwnedUserId, BTreeMap<String, SignatureFailure>>;

/// Why no signature is taken.
#[derive(Debug, thiserror::Error)]
pub enum SignaturesError {
    /// More signatures than one upload may carry.
    #[error("there are too many signatures in one upload")]
    TooMany,
    /// The keys changed again and again meanwhile.
    #[error("the keys changed meanwhile; try again")]
    Busy,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stores signatures that were verified against what is stored.
pub(crate) struct AddSignatures {
    signer: String,
    pub(super) signatures: Vec<VerifiedSignature>,
}

/// A signature, with the keys that it was verified with.
pub(crate) struct VerifiedSignature {
    target_user: String,
    target: Target,
    signer: SignerKey,
    signature: String,
}

/// What is signed, as it was when the signature was verified.
enum Target {
    Device { id: String, pos: i64 },
    Master { public_key: String },
}

/// What signed it, as it was when the signature was verified.
enum SignerKey {
    Device { id: String, pos: i64 },
    Cross { usage: Usage, public_key: String },
}

const ATTEMPTS: usize = 3;

impl Keys {
    /// Stores a user's signatures on their own devices and master key and on others' master
    /// keys; tells which were not valid.
    pub async fn upload_signatures(
        &self,
        signer: &UserId,
        signed: &BTreeMap<OwnedUserId, SignedKeys>,
    ) -> Result<SignatureFailures, SignaturesError> {
        let count: usize = signed.values().map(|keys| keys.iter().count()).sum();
        if count > limits::SIGNATURES_PER_UPLOAD {
            return Err(SignaturesError::TooMany);
        }
        for _ in 0..ATTEMPTS {
            let snapshot = self.log.database().snapshot().await?;
            let (add, failures) = self.verify_signatures(&snapshot, signer, signed).await?;
            drop(snapshot);
            if add.signatures.is_empty() {
                return Ok(failures);
            }
            let mut intent = Intent::new();
            intent.add::<IdentityChanges>(IdentityChange::AddSignatures(add));
            match self.log.commit(intent).await {
                Ok(_) => return Ok(failures),
                Err(CommitError::Store(error)) => return Err(error.into()),
                // What was verified has changed: verify again.
                Err(CommitError::Refused { .. }) => {}
            }
        }
        Err(SignaturesError::Busy)
    }

    async fn verify_signatures(
        &self,
        reader: &Reader,
        signer: &UserId,
        signed: &BTreeMap<OwnedUserId, SignedKeys>,
    ) -> Result<(AddSignatures, SignatureFailures), StoreError> {
        let own = self.stored_keys(reader, signer, signer).await?;
        let own = own.unwrap_or_default();
        let mut failures = SignatureFailures::new();
        let mut signatures = Vec::new();
        for (user, keys) in signed {
            let others = if user == signer {
                None
            } else {
                let others = self.stored_keys(reader, user, signer).await?;
                Some(others.unwrap_or_default())
            };
            for (key, json) in keys.iter() {
                let verified = match &others {
                    None => verify_own(&own, signer, key, json.get()),
                    Some(others) => verify_other(&own, others, signer, user, key, json.get()),
                };
                match verified {
                    Ok(verified) => signatures.extend(verified),
                    Err(failure) => {
                        let of_user = failures.entry(user.clone()).or_default();
                        of_user.insert(key.to_owned(), failure);
                    }
                }
            }
        }
        let signer = signer.to_string();
        Ok((AddSignatures { signer, signatures }, failures))
    }
}

/// A signature on a device or master key of the signer's own.
fn verify_own(
    own: &StoredKeys,
    signer: &UserId,
    key: &str,
    json: &str,
) -> Result<Vec<VerifiedSignature>, SignatureFailure> {
    if let Some(device) = own.devices.get(key) {
        let self_signing = own.public_key(Usage::SelfSigning);
        let verified = new_signatures(&device.keys, signer, json, |key_id| {
            let public_key =
                self_signing.filter(|key| key_id.strip_prefix("ed25519:") == Some(key))?;
            let usage = Usage::SelfSigning;
            Some((cross_key(usage, public_key), public_key.to_owned()))
        })?;
        let target = || Target::Device {
            id: key.to_owned(),
            pos: device.pos,
        };
        return Ok(on(signer, target, verified));
    }
    let master = own.cross_signing.get(&Usage::Master);
    let master = master.filter(|master| master.public_key == key);
    let master = master.ok_or(SignatureFailure::NotFound)?;
    let verified = new_signatures(&master.key, signer, json, |key_id| {
        let id = key_id.strip_prefix("ed25519:")?;
        let device = own.devices.get(id)?;
        let public_key = device.keys.object("keys")?.get(key_id)?.as_str()?;
        let (id, pos) = (id.to_owned(), device.pos);
        Some((SignerKey::Device { id, pos }, public_key.to_owned()))
    })?;
    Ok(on(signer, || master_of(key), verified))
}

/// A signature on somebody else's master key.
fn verify_other(
    own: &StoredKeys,
    others: &StoredKeys,
    signer: &UserId,
    user: &UserId,
    key: &str,
    json: &str,
) -> Result<Vec<VerifiedSignature>, SignatureFailure> {
    let master = others.cross_signing.get(&Usage::Master);
    let master = master.filter(|master| master.public_key == key);
    let master = master.ok_or(SignatureFailure::NotFound)?;
    let user_signing = own.public_key(Usage::UserSigning);
    let verified = new_signatures(&master.key, signer, json, |key_id| {
        let public_key = user_signing.filter(|key| key_id.strip_prefix("ed25519:") == Some(key))?;
        let usage = Usage::UserSigning;
        Some((cross_key(usage, public_key), public_key.to_owned()))
    })?;
    Ok(on(user, || master_of(key), verified))
}

fn cross_key(usage: Usage, public_key: &str) -> SignerKey {
    let public_key = public_key.to_owned();
    SignerKey::Cross { usage, public_key }
}

fn master_of(public_key: &str) -> Target {
    let public_key = public_key.to_owned();
    Target::Master { public_key }
}

fn on(
    user: &UserId,
    target: impl Fn() -> Target,
    verified: Vec<(SignerKey, String)>,
) -> Vec<VerifiedSignature> {
    let verified = verified.into_iter();
    verified
        .map(|(signer, signature)| VerifiedSignature {
            target_user: user.to_string(),
            target: target(),
            signer,
            signature,
        })
        .collect()
}

/// The valid signatures of `signer` in `json` that the stored object lacks.
///
/// `find_key` knows which keys may sign it: it gives the key that a key id names, and its
/// public part. One invalid signature makes all of it invalid.
fn new_signatures(
    stored: &SignedJson,
    signer: &UserId,
    json: &str,
    find_key: impl Fn(&str) -> Option<(SignerKey, String)>,
) -> Result<Vec<(SignerKey, String)>, SignatureFailure> {
    let signed = (json.len() <= limits::KEY_BYTES)
        .then(|| SignedJson::parse(json.as_bytes()))
        .flatten()
        .ok_or(SignatureFailure::Invalid)?;
    if signed.signed_text() != stored.signed_text() {
        return Err(SignatureFailure::Invalid);
    }
    let given: Vec<(&str, &str)> = signed.signatures_of(signer.as_str()).collect();
    if given.is_empty() {
        return Err(SignatureFailure::Invalid);
    }
    let is_known = |pair: &(&str, &str)| {
        stored
            .signatures_of(signer.as_str())
            .any(|old| old == *pair)
    };
    let new = given.into_iter().filter(|pair| !is_known(pair));
    new.map(|(key_id, signature)| {
        let (key, public_key) = find_key(key_id).ok_or(SignatureFailure::Invalid)?;
        if !stored.is_signed_by(&public_key, signature) {
            return Err(SignatureFailure::Invalid);
        }
        Ok((key, signature.to_owned()))
    })
    .collect()
}

impl AddSignatures {
    pub(super) fn users(&self) -> Vec<&str> {
        let targets = self.signatures.iter().map(|one| one.target_user.as_str());
        targets.chain([self.signer.as_str()]).collect()
    }

    pub(super) fn check(
        &self,
        work: &mut IdentityWork,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<bool>, IdentityRefusal> {
        let signer = work.user(&self.signer);
        for verified in &self.signatures {
            let user = work.user(&verified.target_user);
            let target_key = verified.target.current(work, user)?;
            let signer_key = verified.signer.current(work, signer)?;
            let row = SignatureRow {
                signature: verified.signature.clone(),
                pos: context.pos().get(),
            };
            let place = (user, signer, target_key, signer_key);
            work.signatures.put(place, row);
            // What somebody thinks of another user is for them alone.
            let seen_by = (user != signer).then_some(signer);
            work.note_change(user, seen_by, context);
        }
        Ok(Verdict::Apply(true))
    }
}

impl Target {
    /// The name of the signed key, if it is what it was.
    fn current(&self, work: &IdentityWork, user: i64) -> Result<String, IdentityRefusal> {
        let (name, is_current) = match self {
            Self::Device { id, pos } => {
                let row = work.devices.get(&(user, id.clone()));
                (id, row.is_some_and(|row| row.pos == *pos))
            }
            Self::Master { public_key } => {
                let row = work.cross_signing.get(&(user, Usage::Master));
                let is_current = row.is_some_and(|row| row.public_key == *public_key);
                (public_key, is_current)
            }
        };
        is_current
            .then(|| name.clone())
            .ok_or(IdentityRefusal::Stale)
    }
}

impl SignerKey {
    /// The id of the signing key, if it is what it was.
    fn current(&self, work: &IdentityWork, signer: i64) -> Result<String, IdentityRefusal> {
        let (name, is_current) = match self {
            Self::Device { id, pos } => {
                let row = work.devices.get(&(signer, id.clone()));
                (id, row.is_some_and(|row| row.pos == *pos))
            }
            Self::Cross { usage, public_key } => {
                let row = work.cross_signing.get(&(signer, *usage));
                let is_current = row.is_some_and(|row| row.public_key == *public_key);
                (public_key, is_current)
            }
        };
        is_current
            .then(|| format!("ed25519:{name}"))
            .ok_or(IdentityRefusal::Stale)
    }
}

//! Cross-signing keys: master, self-signing and user-signing.

use ruma::{OwnedUserId, UserId, encryption::CrossSigningKey, serde::Raw};
use store::{CheckContext, CommitError, Intent, StoreError, Verdict};

use super::{
    applier::{IdentityChange, IdentityChanges, IdentityRefusal, IdentityWork},
    tables::{CrossRow, DropSignatures, Usage, load_user},
};
use crate::{Keys, limits, signed_json::SignedJson};

/// Cross-signing keys that a user publishes.
#[derive(Clone, Debug)]
pub struct CrossSigningUpload {
    /// The caller.
    pub user_id: OwnedUserId,
    /// The master key.
    pub master_key: Option<Raw<CrossSigningKey>>,
    /// The key that signs own devices.
    pub self_signing_key: Option<Raw<CrossSigningKey>>,
    /// The key that signs other users' master keys.
    pub user_signing_key: Option<Raw<CrossSigningKey>>,
    /// Whether the caller has just proved who they are, beyond their access token.
    pub authenticated: bool,
}

/// Why cross-signing keys are not taken.
#[derive(Debug, thiserror::Error)]
pub enum CrossSigningError {
    /// A key is not a cross-signing key as the specification describes it.
    #[error("the {0} is malformed: {1}")]
    Malformed(&'static str, &'static str),
    /// A key names another user.
    #[error("the {0} belongs to another user")]
    NotYours(&'static str),
    /// A key is not signed by the master key.
    #[error("the {0} is not signed by the master key")]
    NotSigned(&'static str),
    /// There is no master key, in the upload or before.
    #[error("there is no master key to sign the others")]
    NoMasterKey,
    /// A public key equals the id of a device.
    #[error("a key has the id of one of the user's devices")]
    KeyIdInUse,
    /// Keys are replaced: the caller has to prove who they are.
    #[error("replacing cross-signing keys needs authentication")]
    NeedsAuthentication,
    /// The keys changed again and again meanwhile.
    #[error("the keys changed meanwhile; try again")]
    Busy,
    /// Another change of the same intent was refused.
    #[error(transparent)]
    Refused(CommitError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sets cross-signing keys of a user.
pub(crate) struct PutCrossSigning {
    pub(super) user: String,
    pub(super) keys: Vec<CheckedKey>,
    /// The master key whose signatures were verified.
    signed_by: Option<String>,
    authenticated: bool,
}

/// A cross-signing key of the right shape.
pub(crate) struct CheckedKey {
    usage: Usage,
    public_key: String,
    pub(super) json: String,
}

/// How often an upload is verified again when keys change under it.
const ATTEMPTS: usize = 3;

impl Keys {
    /// Whether an upload replaces keys, so that its caller has to prove who they are.
    ///
    /// The first upload needs no proof, nor does one without news. The same question is asked
    /// again when the upload is committed.
    pub async fn cross_signing_change_needs_proof(
        &self,
        upload: &CrossSigningUpload,
    ) -> Result<bool, CrossSigningError> {
        let (checked, _) = check_shapes(upload)?;
        let current = self.public_keys(&upload.user_id).await?;
        let has_master = current.iter().any(|(usage, _)| *usage == Usage::Master);
        let is_known = |key: &CheckedKey| current.contains(&(key.usage, key.public_key.clone()));
        Ok(has_master && !checked.iter().all(is_known))
    }

    /// Publishes cross-signing keys; tells whether anything changed.
    ///
    /// `with` adds what must become true together with it, such as an audit record; it stays
    /// away when nothing changes.
    pub async fn upload_cross_signing_keys(
        &self,
        upload: &CrossSigningUpload,
        with: impl Fn(&mut Intent) + Send + Sync,
    ) -> Result<bool, CrossSigningError> {
        for _ in 0..ATTEMPTS {
            let put = self.verify_upload(upload).await?;
            let mut intent = Intent::new();
            let ticket = intent.add::<IdentityChanges>(IdentityChange::PutCrossSigning(put));
            with(&mut intent);
            let refused = match self.log.commit(intent).await {
                Ok(mut committed) => return Ok(committed.take(ticket).unwrap_or(false)),
                Err(error) => error.refusal::<IdentityChanges>(),
            };
            match refused {
                Ok(IdentityRefusal::Stale) => {}
                Ok(IdentityRefusal::NoMasterKey) => return Err(CrossSigningError::NoMasterKey),
                Ok(IdentityRefusal::KeyIdInUse) => return Err(CrossSigningError::KeyIdInUse),
                Ok(IdentityRefusal::NeedsAuthentication) => {
                    return Err(CrossSigningError::NeedsAuthentication);
                }
                Err(CommitError::Store(error)) => return Err(error.into()),
                Err(refused) => return Err(CrossSigningError::Refused(refused)),
            }
        }
        Err(CrossSigningError::Busy)
    }

    async fn verify_upload(
        &self,
        upload: &CrossSigningUpload,
    ) -> Result<PutCrossSigning, CrossSigningError> {
        let (keys, objects) = check_shapes(upload)?;
        let new_master = keys.iter().find(|key| key.usage == Usage::Master);
        let signed_by = match new_master {
            Some(key) => Some(key.public_key.clone()),
            None => {
                let current = self.public_keys(&upload.user_id).await?;
                let master = current
                    .into_iter()
                    .find(|(usage, _)| *usage == Usage::Master);
                master.map(|(_, key)| key)
            }
        };
        for (key, object) in keys.iter().zip(&objects) {
            if key.usage != Usage::Master {
                let master = signed_by.as_ref().ok_or(CrossSigningError::NoMasterKey)?;
                if !is_signed_by_master(object, &upload.user_id, master) {
                    return Err(CrossSigningError::NotSigned(field_of(key.usage)));
                }
            }
        }
        Ok(PutCrossSigning {
            user: upload.user_id.to_string(),
            keys,
            signed_by,
            authenticated: upload.authenticated,
        })
    }

    async fn public_keys(&self, user: &UserId) -> Result<Vec<(Usage, String)>, StoreError> {
        let snapshot = self.log.database().snapshot().await?;
        let names = self.log.database().names();
        let Some(user) = names.user(&snapshot, user.as_str()).await? else {
            return Ok(Vec::new());
        };
        let rows = load_user(&snapshot, user).await?;
        let keys = rows.cross_signing.into_iter();
        Ok(keys.map(|(usage, row)| (usage, row.public_key)).collect())
    }
}

const fn field_of(usage: Usage) -> &'static str {
    match usage {
        Usage::Master => "master_key",
        Usage::SelfSigning => "self_signing_key",
        Usage::UserSigning => "user_signing_key",
    }
}

fn is_signed_by_master(object: &SignedJson, user: &UserId, master: &str) -> bool {
    let key_id = format!("ed25519:{master}");
    object
        .signatures_of(user.as_str())
        .any(|(key, signature)| key == key_id && object.is_signed_by(master, signature))
}

fn check_shapes(
    upload: &CrossSigningUpload,
) -> Result<(Vec<CheckedKey>, Vec<SignedJson>), CrossSigningError> {
    let given = [
        (Usage::Master, &upload.master_key),
        (Usage::SelfSigning, &upload.self_signing_key),
        (Usage::UserSigning, &upload.user_signing_key),
    ];
    let given = given
        .into_iter()
        .filter_map(|(usage, key)| key.as_ref().map(|key| (usage, key)));
    let mut checked = (Vec::new(), Vec::new());
    for (usage, key) in given {
        let (key, object) = check_shape(usage, &upload.user_id, key)?;
        checked.0.push(key);
        checked.1.push(object);
    }
    Ok(checked)
}

fn check_shape(
    usage: Usage,
    user: &UserId,
    key: &Raw<CrossSigningKey>,
) -> Result<(CheckedKey, SignedJson), CrossSigningError> {
    let field = field_of(usage);
    let malformed = |why| CrossSigningError::Malformed(field, why);
    let json = key.json().get();
    if json.len() > limits::KEY_BYTES {
        return Err(malformed("it is too large"));
    }
    let object = SignedJson::parse(json.as_bytes())
        .ok_or_else(|| malformed("it is not a canonical JSON object"))?;
    let owner = object.text("user_id");
    if owner.ok_or_else(|| malformed("it names no user_id"))? != user.as_str() {
        return Err(CrossSigningError::NotYours(field));
    }
    if !object
        .texts("usage")
        .is_some_and(|usages| usages.contains(&usage.as_str()))
    {
        return Err(malformed("its usage is another one"));
    }
    let public_key = single_key(&object).ok_or_else(|| malformed("it needs one ed25519 key"))?;
    let json = object.stable_text();
    let checked = CheckedKey {
        usage,
        public_key,
        json,
    };
    Ok((checked, object))
}

/// The one key in `keys`, which must be named after itself.
fn single_key(object: &SignedJson) -> Option<String> {
    let keys = object.object("keys")?;
    let (id, key) = keys.iter().next().filter(|_| keys.len() == 1)?;
    let key = key.as_str()?;
    let named_after_itself = id.strip_prefix("ed25519:") == Some(key);
    let decoded = ruma::serde::Base64::<ruma::serde::base64::Standard>::parse(key).ok()?;
    (named_after_itself && decoded.as_bytes().len() == 32 && limits::is_id(key))
        .then(|| key.to_owned())
}

impl PutCrossSigning {
    pub(super) fn check(
        &self,
        work: &mut IdentityWork,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<bool>, IdentityRefusal> {
        let user = work.user(&self.user);
        let current = |usage| work.cross_signing.get(&(user, usage));
        let is_known = |key: &CheckedKey| {
            current(key.usage).is_some_and(|row| row.public_key == key.public_key)
        };
        if self.keys.iter().all(is_known) {
            return Ok(Verdict::Already(false));
        }
        let master = current(Usage::Master).map(|row| row.public_key.clone());
        let new_master = self.keys.iter().find(|key| key.usage == Usage::Master);
        if new_master.is_none() && master.is_none() {
            return Err(IdentityRefusal::NoMasterKey);
        }
        if new_master.is_none() && master != self.signed_by {
            return Err(IdentityRefusal::Stale);
        }
        if master.is_some() && !self.authenticated {
            return Err(IdentityRefusal::NeedsAuthentication);
        }
        let is_device = |key: &CheckedKey| {
            let place = (user, key.public_key.clone());
            work.devices.get(&place).is_some()
        };
        if self.keys.iter().any(is_device) {
            return Err(IdentityRefusal::KeyIdInUse);
        }
        let replaces_master =
            new_master.is_some_and(|key| master.is_some_and(|master| master != key.public_key));
        if replaces_master {
            self.forget_others(work, user);
        }
        for key in &self.keys {
            put_key(work, user, key, context);
        }
        work.note_change(user, None, context);
        Ok(Verdict::Apply(true))
    }

    /// Removes keys that were signed by the master key that goes, unless they are given anew.
    fn forget_others(&self, work: &mut IdentityWork, user: i64) {
        for usage in [Usage::SelfSigning, Usage::UserSigning] {
            if !self.keys.iter().any(|key| key.usage == usage) {
                drop_key(work, user, usage);
            }
        }
    }
}

fn put_key(work: &mut IdentityWork, user: i64, key: &CheckedKey, context: &CheckContext<'_>) {
    let known = work.cross_signing.get(&(user, key.usage));
    if known.is_some_and(|known| known.public_key != key.public_key) {
        drop_key(work, user, key.usage);
    }
    let row = CrossRow {
        public_key: key.public_key.clone(),
        pos: context.pos().get(),
        json: key.json.clone(),
    };
    work.cross_signing.put((user, key.usage), row);
}

fn drop_key(work: &mut IdentityWork, user: i64, usage: Usage) {
    let Some(row) = work.cross_signing.get(&(user, usage)) else {
        return;
    };
    let public_key = row.public_key.clone();
    work.cross_signing.remove(&(user, usage));
    work.drop_signatures(DropSignatures::With {
        user,
        key: format!("ed25519:{public_key}"),
    });
    work.drop_signatures(DropSignatures::On {
        user,
        key: public_key,
    });
}

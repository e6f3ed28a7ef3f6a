//! Signing in: what is proved, and the session that begins.

use std::time::Duration;

use audit::{Act, AuditTrail, Target};
use model::{ids, mail_address::MailAddress};
use ruma::{OwnedDeviceId, OwnedUserId, UserId};
use store::{Committed, Intent, StoreError, Ticket};

use crate::{
    Accounts, By,
    accounts::Inner,
    applier::AccountChanges,
    change::{Change, NewToken, Outcome, Proof, Refusal, SignIn},
    devices::MAX_NAME_BYTES,
    rows,
    secret::{self, Secret},
};

/// How long a login token is good.
pub const LOGIN_TOKEN_LIFETIME: Duration = Duration::from_secs(120);

/// Where a session is to begin.
#[derive(Clone, Debug, Default)]
pub struct NewDevice {
    /// The device; one that exists begins anew, and its old tokens end. Made up when absent.
    pub device_id: Option<OwnedDeviceId>,
    /// What a new device is called.
    pub display_name: Option<String>,
    /// Whether the client can refresh its access token.
    pub refreshable: bool,
}

/// A session that began, with its tokens; they are shown once.
pub struct SignedIn {
    /// The user's id.
    pub user_id: OwnedUserId,
    /// The same, interned.
    pub user: i64,
    /// The device.
    pub device_id: OwnedDeviceId,
    /// Whether the device is new.
    pub new_device: bool,
    /// The access token.
    pub access_token: String,
    /// How long it is good.
    pub expires_in: Option<Duration>,
    /// The refresh token.
    pub refresh_token: Option<String>,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SignedIn")
            .field("user_id", &self.user_id)
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}

/// Why no session began.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The name, password or token is wrong; which one is not told.
    #[error("the user name, password or token is not right")]
    Wrong,
    /// Too many wrong passwords; try again later.
    #[error("too many wrong passwords")]
    Limited(Duration),
    /// The account is locked; only who has proved to be its owner is told.
    #[error("this account is locked")]
    Locked,
    /// An application service wants to act as a user that it has not claimed.
    #[error("the user is in no namespace of the application service")]
    Unclaimed,
    /// The device id cannot be one.
    #[error(transparent)]
    DeviceId(ids::IdRefusal),
    /// The device's name is too long.
    #[error("a device name has at most {MAX_NAME_BYTES} bytes")]
    DeviceName,
    /// The user has as many devices as one can have.
    #[error("no more than {0} devices can be signed in")]
    TooManyDevices(i64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for SignInError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchUser | Refusal::PasswordChanged | Refusal::TokenNotValid => Self::Wrong,
            Refusal::Locked => Self::Locked,
            Refusal::TooMany(limit) => Self::TooManyDevices(limit),
            other => Self::Store(other.into_store()),
        }
    }
}

/// A session that an intent is about to begin.
pub(crate) struct SigningIn {
    ticket: Ticket<AccountChanges>,
    user_id: OwnedUserId,
    device_id: OwnedDeviceId,
    access: Secret,
    expires_in: Option<Duration>,
    refresh: Option<Secret>,
}

impl SigningIn {
    pub(crate) fn conclude(self, committed: &mut Committed) -> Result<SignedIn, StoreError> {
        let Some(Outcome::SignedIn {
            user, new_device, ..
        }) = committed.take(self.ticket)
        else {
            let sentence = "a sign-in had no outcome".to_owned();
            return Err(StoreError::Refused(sentence));
        };
        Ok(SignedIn {
            user_id: self.user_id,
            user,
            device_id: self.device_id,
            new_device,
            access_token: self.access.into_text(),
            expires_in: self.expires_in,
            refresh_token: self.refresh.map(Secret::into_text),
        })
    }
}

/// No name that somebody could have.
const NOBODY: &str = "\0";

const READ_LOGIN_TOKEN: &str = "SELECT user_id FROM login_tokens WHERE hash = $1";

impl Accounts {
    /// Begins a session for who knows the password.
    ///
    /// `name` is a localpart or a whole user id. A wrong one takes as long as a wrong password.
    pub async fn sign_in_with_password(
        &self,
        name: &str,
        password: &str,
        device: NewDevice,
        by: By,
    ) -> Result<SignedIn, SignInError> {
        let proved = self.prove_password(name, password, &by, Act::SignInFailed);
        let (user_id, proof) = proved.await?;
        self.begin_session(&user_id, device, proof, by).await
    }

    /// Begins a session for who knows the password of the account that an address of mail stands
    /// for. An unknown address takes as long as a wrong password.
    pub async fn sign_in_with_email(
        &self,
        address: &str,
        password: &str,
        device: NewDevice,
        by: By,
    ) -> Result<SignedIn, SignInError> {
        let owner = match MailAddress::parse(address) {
            Ok(address) => self.email_owner(&address).await?,
            Err(_) => None,
        };
        let name = owner.as_ref().map_or(NOBODY, |owner| owner.as_str());
        self.sign_in_with_password(name, password, device, by).await
    }

    /// Begins a session for who has a login token; the token is used up.
    pub async fn sign_in_with_token(
        &self,
        token: &str,
        device: NewDevice,
        by: By,
    ) -> Result<SignedIn, SignInError> {
        let owner = self.login_token_owner(token).await?;
        let outcome = match owner {
            Some((user_id, hash)) => {
                let by = by.clone();
                self.begin_session(&user_id, device, Proof::LoginToken(hash), by)
                    .await
            }
            None => Err(SignInError::Wrong),
        };
        if matches!(outcome, Err(SignInError::Wrong)) {
            let record = by.record(Act::SignInFailed).refused("login token");
            self.record_refusal(record).await?;
        }
        outcome
    }

    /// Begins a session for a user whom the caller has proved otherwise.
    pub async fn sign_in_trusted(
        &self,
        user_id: &UserId,
        device: NewDevice,
        by: By,
    ) -> Result<SignedIn, SignInError> {
        self.begin_session(user_id, device, Proof::None, by).await
    }

    /// Makes a token with which the user can sign in once, within two minutes.
    pub async fn make_login_token(&self, user: i64, by: By) -> Result<String, SignInError> {
        let secret = Secret::new(&*self.inner.entropy, secret::LOGIN);
        let change = Change::MakeLoginToken {
            user,
            hash: secret.hash,
            expires_at: self.now().plus(LOGIN_TOKEN_LIFETIME),
        };
        let record = by.record(Act::LoginTokenMade);
        self.commit_one(change, Some(record)).await?;
        Ok(secret.into_text())
    }

    /// Checks a name and a password, and records a failure as `failed`.
    pub(crate) async fn prove_password(
        &self,
        name: &str,
        password: &str,
        by: &By,
        failed: Act,
    ) -> Result<(OwnedUserId, Proof), SignInError> {
        let Inner {
            guesses, passwords, ..
        } = &*self.inner;
        let user_id = self.user_id_here(name);
        let known_as = user_id.as_ref().map_or("", |user_id| user_id.as_str());
        guesses
            .check(known_as, by.address())
            .map_err(SignInError::Limited)?;
        let stored = match &user_id {
            Some(user_id) => self
                .find(user_id)
                .await?
                .and_then(|found| found.password_hash),
            None => None,
        };
        if passwords.verify(password, stored.clone()).await?
            && let (Some(user_id), Some(stored)) = (user_id.clone(), stored)
        {
            guesses.right(known_as, by.address());
            return Ok((user_id, Proof::Password(stored)));
        }
        guesses.wrong(known_as, by.address());
        let record = by.record(failed).refused("wrong user name or password");
        let record = match &user_id {
            Some(user_id) => record.on(Target::user(user_id.as_str())),
            None => record,
        };
        self.record_refusal(record).await?;
        Err(SignInError::Wrong)
    }

    async fn begin_session(
        &self,
        user_id: &UserId,
        device: NewDevice,
        proof: Proof,
        by: By,
    ) -> Result<SignedIn, SignInError> {
        let by = By::person(user_id, by.origin);
        let mut intent = Intent::new();
        let signing_in = self.add_sign_in(&mut intent, user_id, device, proof, &by)?;
        let mut committed = match self.commit(intent).await {
            Ok(committed) => committed,
            Err(Refusal::Locked) => {
                let target = Target::user(user_id.as_str());
                let record = by.record(Act::SignInFailed).on(target);
                self.record_refusal(record.refused("the account is locked"))
                    .await?;
                return Err(SignInError::Locked);
            }
            Err(refusal) => return Err(refusal.into()),
        };
        Ok(signing_in.conclude(&mut committed)?)
    }

    /// Adds a session and its record to an intent.
    pub(crate) fn add_sign_in(
        &self,
        intent: &mut Intent,
        user_id: &UserId,
        device: NewDevice,
        proof: Proof,
        by: &By,
    ) -> Result<SigningIn, SignInError> {
        let entropy = &*self.inner.entropy;
        let device_id = match device.device_id {
            Some(device_id) => {
                ids::check_device_id(device_id.as_str()).map_err(SignInError::DeviceId)?;
                device_id
            }
            None => made_up_device_id(entropy),
        };
        if device
            .display_name
            .as_ref()
            .is_some_and(|name| name.len() > MAX_NAME_BYTES)
        {
            return Err(SignInError::DeviceName);
        }
        let access = Secret::new(entropy, secret::ACCESS);
        let refresh = device
            .refreshable
            .then(|| Secret::new(entropy, secret::REFRESH));
        let lifetime = self.inner.settings.access_token_lifetime;
        let expires_in = device.refreshable.then_some(lifetime);
        let way = match &proof {
            Proof::None => "other",
            Proof::Password(_) => "password",
            Proof::LoginToken(_) => "login_token",
            Proof::Appservice => "appservice",
        };
        let change = SignIn {
            user_id: user_id.to_owned(),
            device_id: device_id.to_string(),
            display_name: device.display_name,
            access: NewToken {
                hash: access.hash,
                expires_at: expires_in.map(|lifetime| self.now().plus(lifetime)),
            },
            refresh: refresh.as_ref().map(|secret| secret.hash),
            proof,
        };
        let ticket = intent.add::<AccountChanges>(Change::SignIn(change));
        let target = Target::device(user_id.as_str(), device_id.as_str());
        intent.add::<AuditTrail>(by.record(Act::SignedIn).on(target).with("way", way));
        Ok(SigningIn {
            ticket,
            user_id: user_id.to_owned(),
            device_id,
            access,
            expires_in,
            refresh,
        })
    }

    async fn login_token_owner(
        &self,
        token: &str,
    ) -> Result<Option<(OwnedUserId, rows::Hash)>, StoreError> {
        let Some(hash) = secret::presented(token) else {
            return Ok(None);
        };
        let snapshot = self.database().snapshot().await?;
        let params = [hash.as_slice().into()];
        let Some(row) = snapshot.query_opt(READ_LOGIN_TOKEN, &params).await? else {
            return Ok(None);
        };
        let names = self.database().names();
        let name = names.user_name(&snapshot, row.int(0)?).await?;
        Ok(Some((rows::user_id(&name)?, hash)))
    }
}

/// Ten capitals, as people know device ids.
fn made_up_device_id(entropy: &dyn model::entropy::Entropy) -> OwnedDeviceId {
    let mut bytes = [0u8; 10];
    entropy.fill(&mut bytes);
    let letters = bytes.map(|byte| char::from(b'A' + byte % 26));
    letters.iter().collect::<String>().into()
}

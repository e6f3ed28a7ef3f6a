//! Making accounts.

use appservices::Appservice;
use audit::{Act, AuditTrail, Record, Target};
use model::{entropy::random_text, ids};
use ruma::{OwnedUserId, UserId};
use store::{CommitError, Intent, StoreError};
use zeroize::Zeroizing;

use crate::{
    AccountKind, Accounts, Agreement, By, NewDevice, RegistrationMode, Session, SignedIn,
    WeakPassword,
    applier::AccountChanges,
    change::{Change, GuestSession, Outcome, Permit, Proof, Refusal, Register},
    emails::{EmailError, EmailProof},
    password,
    rows::Hash,
    secret,
};

/// An account to be made.
#[derive(Default)]
pub struct NewAccount {
    /// Its name; made up when there is none.
    pub localpart: Option<String>,
    /// Its password; without one nobody can sign in with a password.
    pub password: Option<Zeroizing<String>>,
    /// Whether it is an administrator's.
    pub admin: bool,
    /// The name that others see.
    pub display_name: Option<String>,
    /// The session to begin with it.
    pub device: Option<NewDevice>,
    /// The session of the guest whose account becomes this one; its name is the guest's.
    pub of_guest: Option<Session>,
    /// What its owner agreed to.
    pub agreement: Option<Agreement>,
}

/// What allows a registration.
pub enum Grant {
    /// That anybody may register.
    Open,
    /// That anybody may register, and that they read an address of mail, which the account gets.
    Email(EmailProof),
    /// A registration token or an invitation.
    Token(PresentedToken),
    /// That an administrator, or whoever may run the program on the server, does it.
    Administrator,
    /// The shared secret; its nonce is used up.
    SharedSecret(SpentNonce),
    /// The link of the first start, which is used up.
    SetupLink(Zeroizing<String>),
    /// That anybody may be a guest.
    Guest,
    /// That an application service makes one of its users.
    Appservice(Appservice),
}

/// A registration token or invitation that somebody presents, of which only the hash is kept.
#[derive(Clone, Copy, Debug)]
pub struct PresentedToken(pub(crate) Option<Hash>);

impl PresentedToken {
    /// Takes a token as it was written.
    pub fn new(text: &str) -> Self {
        Self(secret::presented(text))
    }
}

/// A nonce that was presented with the right MAC.
pub struct SpentNonce {
    pub(crate) hash: [u8; 32],
    pub(crate) expires_at: model::time::Timestamp,
}

/// What a registration made.
#[derive(Debug)]
pub struct Registered {
    /// The account's id.
    pub user_id: OwnedUserId,
    /// The same, interned.
    pub user: i64,
    /// The session, if one was asked for.
    pub signed_in: Option<SignedIn>,
}

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Nobody may register without an invitation or a token.
    #[error("registration needs an invitation or a token")]
    Closed,
    /// The wanted name cannot be one.
    #[error(transparent)]
    Name(ids::IdRefusal),
    /// The wanted name is taken.
    #[error("this user name is taken")]
    Taken,
    /// The name is an application service's alone.
    #[error("this user name belongs to an application service")]
    Exclusive,
    /// An application service wants a name that it has not claimed.
    #[error("this user name is in no namespace of the application service")]
    Unclaimed,
    /// The password is not taken.
    #[error(transparent)]
    Password(#[from] WeakPassword),
    /// The device cannot be one.
    #[error("the device is not usable: {0}")]
    Device(String),
    /// The token, link or nonce is not valid.
    #[error("the token is not valid, was used before or has expired")]
    Token,
    /// The invitation is for another name.
    #[error("the invitation is for another user name")]
    AnotherName,
    /// There is an administrator already.
    #[error("an administrator exists already")]
    AdministratorExists,
    /// The address of mail cannot be had: it was not confirmed, or belongs to another account.
    #[error(transparent)]
    Email(EmailError),
    /// Nobody registers for themselves here without agreeing to the terms.
    #[error("the terms of this server must be agreed to")]
    NotAgreed,
    /// There are no guests.
    #[error("this server has no guests")]
    NoGuests,
    /// Who presents the access token is no guest, or not the one of this name.
    #[error("no guest of this name has this access token")]
    NotThisGuest,
    /// The guest is locked.
    #[error("this account is locked")]
    Locked,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for RegisterError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UserInUse => Self::Taken,
            Refusal::TokenNotValid => Self::Token,
            Refusal::AnotherName => Self::AnotherName,
            Refusal::AdministratorExists => Self::AdministratorExists,
            Refusal::NotThisGuest => Self::NotThisGuest,
            Refusal::Locked => Self::Locked,
            other => Self::Store(other.into_store()),
        }
    }
}

/// What refuses a registration: its own applier, or that of addresses.
fn refused(error: CommitError) -> RegisterError {
    match error.refusal::<AccountChanges>() {
        Ok(refusal) => refusal.into(),
        Err(error) => match EmailError::from(error) {
            EmailError::Store(error) => RegisterError::Store(error),
            error => RegisterError::Email(error),
        },
    }
}

/// How many characters a name has that nobody chose.
const MADE_UP_CHARACTERS: usize = 12;

impl Accounts {
    /// Who may make an account.
    pub fn registration_mode(&self) -> RegistrationMode {
        self.inner.settings.registration
    }

    /// Whether a person could make an account with this name now.
    pub async fn check_available(&self, localpart: &str) -> Result<(), RegisterError> {
        let user_id =
            ids::new_user_id(localpart, self.server_name()).map_err(RegisterError::Name)?;
        self.check_claims(&user_id, None)?;
        self.check_free(&user_id).await
    }

    async fn check_free(&self, user_id: &UserId) -> Result<(), RegisterError> {
        if user_id.localpart() == self.inner.settings.reserved_name {
            return Err(RegisterError::Taken);
        }
        match self.find(user_id).await? {
            Some(_) => Err(RegisterError::Taken),
            None => Ok(()),
        }
    }

    /// Names that a service has claimed for itself are its own, and it makes no others.
    fn check_claims(&self, user_id: &UserId, by: Option<&Appservice>) -> Result<(), RegisterError> {
        let owner = self.inner.settings.appservices.owner_of(user_id);
        match by {
            Some(service) if !service.acts_for(user_id) => Err(RegisterError::Unclaimed),
            by if owner.is_some_and(|owner| Some(owner) != by) => Err(RegisterError::Exclusive),
            _ => Ok(()),
        }
    }

    /// Makes an account, and begins its first session if one is asked for.
    pub async fn register(
        &self,
        new: NewAccount,
        grant: Grant,
        by: By,
    ) -> Result<Registered, RegisterError> {
        let localpart = new.localpart.unwrap_or_else(|| self.made_up_name());
        let user_id = match &grant {
            // Judged when the registration was read: it may have capitals.
            Grant::Appservice(service) if service.sender().localpart() == localpart => {
                service.sender().to_owned()
            }
            _ => ids::new_user_id(&localpart, self.server_name()).map_err(RegisterError::Name)?,
        };
        let permit = self.permit(&grant)?;
        let service = match &grant {
            Grant::Appservice(service) => Some(service),
            _ => None,
        };
        self.check_claims(&user_id, service)?;
        let agreed = self.has_agreed(&grant, new.agreement)?;
        if let Some(password) = &new.password {
            password::check(password)?;
        }
        let kind = match grant {
            Grant::Guest => AccountKind::Guest,
            _ => AccountKind::Person,
        };
        let of_guest = new.of_guest.as_ref();
        if of_guest.is_some_and(|guest| guest.user_id != user_id) {
            return Err(RegisterError::NotThisGuest);
        }
        if of_guest.is_none() {
            self.check_free(&user_id).await?;
        }
        let password_hash = match &new.password {
            Some(password) => Some(self.inner.passwords.hash(password).await?),
            None => None,
        };
        let display_name = new.display_name.as_deref();
        let register = Register {
            user_id: user_id.clone(),
            kind,
            of_guest: of_guest.map(|guest| GuestSession {
                device_id: guest.device_id.to_string(),
                session: guest.session,
            }),
            password_hash,
            admin: new.admin,
            display_name: display_name.map(|name| serde_json::json!(name).to_string().into()),
            accepted_terms: agreed.then(|| self.accepted_terms()),
            permit,
        };
        let mut intent = Intent::new();
        let ticket = intent.add::<AccountChanges>(Change::Register(register));
        let by = self.author(&grant, &user_id, by);
        if kind == AccountKind::Guest || of_guest.is_some() {
            let is_guest = kind == AccountKind::Guest;
            (self.inner.settings.on_guest)(&mut intent, &user_id, is_guest);
        }
        let record = Self::record_of(&by, &grant, of_guest.is_some());
        let target = Target::user(user_id.as_str());
        intent.add::<AuditTrail>(record.on(target.clone()));
        if agreed {
            self.add_agreements(&mut intent, &target, &by);
        }
        if let Grant::Email(email) = &grant {
            email.add_to_new(&mut intent, &user_id);
            intent.add::<AuditTrail>(by.record(Act::EmailAdded).on(target.clone()));
        }
        if new.admin {
            intent.add::<AuditTrail>(by.record(Act::AdminGranted).on(target));
        }
        let signing_in = match new.device {
            Some(device) => Some(
                self.add_sign_in(&mut intent, &user_id, device, Proof::None, &by)
                    .map_err(|error| RegisterError::Device(error.to_string()))?,
            ),
            None => None,
        };
        let committed = self.inner.log.commit(intent).await;
        let mut committed = committed.map_err(refused)?;
        let Some(Outcome::Registered(user)) = committed.take(ticket) else {
            let error = StoreError::Refused("a registration had no outcome".to_owned());
            return Err(RegisterError::Store(error));
        };
        let signed_in = signing_in.map(|signing_in| signing_in.conclude(&mut committed));
        Ok(Registered {
            user_id,
            user,
            signed_in: signed_in.transpose()?,
        })
    }

    fn permit(&self, grant: &Grant) -> Result<Permit, RegisterError> {
        let mode = self.registration_mode();
        Ok(match grant {
            Grant::Open | Grant::Email(_) if mode == RegistrationMode::Open => Permit::None,
            Grant::Open | Grant::Email(_) => return Err(RegisterError::Closed),
            Grant::Token(token) => {
                let hash = token.0.ok_or(RegisterError::Token)?;
                Permit::Token(hash, mode == RegistrationMode::Closed)
            }
            Grant::Administrator | Grant::Appservice(_) => Permit::None,
            Grant::SharedSecret(nonce) => Permit::Nonce(nonce.hash, nonce.expires_at),
            Grant::SetupLink(token) => {
                Permit::SetupLink(secret::presented(token).ok_or(RegisterError::Token)?)
            }
            Grant::Guest if self.inner.settings.guests => Permit::None,
            Grant::Guest => return Err(RegisterError::NoGuests),
        })
    }

    /// Who registers for themselves is known from now on.
    fn author(&self, grant: &Grant, user_id: &ruma::UserId, by: By) -> By {
        match grant {
            Grant::Open
            | Grant::Email(_)
            | Grant::Token(_)
            | Grant::SetupLink(_)
            | Grant::Guest => By::person(user_id, by.origin),
            Grant::Administrator | Grant::SharedSecret(_) | Grant::Appservice(_) => by,
        }
    }

    fn record_of(by: &By, grant: &Grant, was_guest: bool) -> Record {
        let (act, way) = match grant {
            Grant::Open => (Act::Registered, "open"),
            Grant::Email(_) => (Act::Registered, "email"),
            Grant::Token(_) => (Act::Registered, "token"),
            Grant::SetupLink(_) => (Act::Registered, "setup_link"),
            Grant::Administrator => (Act::AccountCreated, "administrator"),
            Grant::SharedSecret(_) => (Act::AccountCreated, "shared_secret"),
            Grant::Guest => (Act::Registered, "guest"),
            Grant::Appservice(_) => (Act::AccountCreated, "appservice"),
        };
        let record = by.record(act).with("way", way);
        match was_guest {
            true => record.with("was", "guest"),
            false => record,
        }
    }

    fn made_up_name(&self) -> String {
        let text = random_text(&*self.inner.entropy, MADE_UP_CHARACTERS);
        // Two of the alphabet's characters are allowed in names too; capitals are not.
        text.to_ascii_lowercase()
    }
}

//! [`Accounts`]: what others ask of this crate.

use std::{net::IpAddr, sync::Arc, time::Duration};

use appservices::{Appservice, Appservices};
use audit::{Actor, AuditTrail, Origin, Record, RefusalRate};
use model::{
    entropy::Entropy,
    time::{Clock, Timestamp},
};
use ruma::{OwnedServerName, OwnedUserId, UserId};
use seal::Keyring;
use store::{Committed, Database, Intent, Log, StoreError};
use zeroize::Zeroizing;

use crate::{
    Policy,
    activity::Activity,
    applier::AccountChanges,
    authenticate::Session,
    change::{Change, Outcome, Refusal},
    guesses::Guesses,
    password::Passwords,
};

/// Who may make an account. An administrator's invitation works in each mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationMode {
    /// By invitation only.
    Closed,
    /// Whoever has a registration token.
    Token,
    /// Anybody.
    Open,
}

/// What the operator has decided about accounts.
pub struct Settings {
    /// The name that every id carries.
    pub server_name: OwnedServerName,
    /// Who may make an account.
    pub registration: RegistrationMode,
    /// The secret with which tools register accounts.
    pub shared_secret: Option<Zeroizing<String>>,
    /// How long an access token is good where it can be refreshed.
    pub access_token_lifetime: Duration,
    /// Whether password guesses are limited.
    pub limit_guesses: bool,
    /// Whether this server sends mail.
    pub mail: bool,
    /// The name that the server has for itself: nobody gets it.
    pub reserved_name: String,
    /// To what people agree who register for themselves.
    pub policies: Vec<Policy>,
    /// Whether anybody may be a guest.
    pub guests: bool,
    /// Adds to an intent what others keep of who is a guest.
    pub on_guest: OnGuest,
    /// Who else acts as users here, and which names are theirs alone.
    pub appservices: Appservices,
}

/// Adds changes of another owner to an intent by which somebody becomes a guest, or a person.
pub type OnGuest = fn(&mut Intent, &UserId, bool);

/// People, devices and sessions. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) log: Log,
    pub(crate) changes: Arc<AccountChanges>,
    pub(crate) keyring: Keyring,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) passwords: Passwords,
    pub(crate) guesses: Guesses,
    pub(crate) refusals: RefusalRate,
    pub(crate) activity: Activity,
}

/// Who does something, and from where.
#[derive(Clone, Debug)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
}

impl By {
    /// The owner of a session.
    pub fn session(session: &Session, origin: Origin) -> Self {
        let actor = Actor::User {
            user_id: session.user_id.to_string(),
            session: Some(session.device_id.to_string()),
        };
        Self { actor, origin }
    }

    /// An application service, as one of its users.
    pub fn appservice(appservice: &Appservice, user_id: &UserId, origin: Origin) -> Self {
        let actor = Actor::Appservice {
            appservice: appservice.id().to_owned(),
            user_id: user_id.to_string(),
        };
        Self { actor, origin }
    }

    /// Whoever may run the program on the server.
    pub fn command_line() -> Self {
        Self {
            actor: Actor::CommandLine,
            origin: Origin::default(),
        }
    }

    /// Somebody who has not proved who they are.
    pub fn anonymous(origin: Origin) -> Self {
        Self {
            actor: Actor::Anonymous,
            origin,
        }
    }

    /// A person who has just proved who they are, outside any session.
    pub(crate) fn person(user_id: &UserId, origin: Origin) -> Self {
        let actor = Actor::User {
            user_id: user_id.to_string(),
            session: None,
        };
        Self { actor, origin }
    }

    pub(crate) fn record(&self, act: audit::Act) -> Record {
        Record::new(act, self.actor.clone()).from(self.origin.clone())
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.origin.address
    }
}

impl Accounts {
    /// Puts accounts together over a log with which `changes` was registered.
    pub fn new(
        log: Log,
        changes: Arc<AccountChanges>,
        keyring: Keyring,
        entropy: Arc<dyn Entropy>,
        settings: Settings,
    ) -> Self {
        let clock = Arc::clone(log.clock());
        let inner = Inner {
            passwords: Passwords::new(Arc::clone(&entropy)),
            guesses: Guesses::new(Arc::clone(&clock), settings.limit_guesses),
            refusals: RefusalRate::new(Arc::clone(&clock)),
            activity: Activity::new(),
            log,
            changes,
            keyring,
            entropy,
            clock,
            settings,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The name that every id carries.
    pub fn server_name(&self) -> &ruma::ServerName {
        &self.inner.settings.server_name
    }

    /// Who else acts as users here.
    pub fn appservices(&self) -> &Appservices {
        &self.inner.settings.appservices
    }

    pub(crate) fn database(&self) -> &Database {
        self.inner.log.database()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Commits an intent; what another applier refuses is not expected here.
    pub(crate) async fn commit(&self, intent: Intent) -> Result<Committed, Refusal> {
        let committed = self.inner.log.commit(intent).await;
        committed.map_err(|error| match error.refusal::<AccountChanges>() {
            Ok(refusal) => refusal,
            Err(error) => Refusal::Store(error.into_store()),
        })
    }

    /// Commits one change, with the record of the act it is.
    pub(crate) async fn commit_one(
        &self,
        change: Change,
        record: Option<Record>,
    ) -> Result<Outcome, Refusal> {
        let mut intent = Intent::new();
        let ticket = intent.add::<AccountChanges>(change);
        if let Some(record) = record {
            intent.add::<AuditTrail>(record);
        }
        let mut committed = self.commit(intent).await?;
        Ok(committed.take(ticket).unwrap_or(Outcome::Unchanged))
    }

    /// Records a refusal, unless there were too many like it.
    pub(crate) async fn record_refusal(&self, record: Record) -> Result<(), StoreError> {
        let Some(record) = self.inner.refusals.admit(record) else {
            return Ok(());
        };
        let mut intent = Intent::new();
        intent.add::<AuditTrail>(record);
        let committed = self.inner.log.commit(intent).await;
        committed.map(drop).map_err(store::CommitError::into_store)
    }

    /// The id of an account here that a person names by its localpart or whole id.
    pub fn user_id_here(&self, name: &str) -> Option<OwnedUserId> {
        let server = self.server_name();
        if name.len() > model::ids::MAX_ID_BYTES || name.contains('\0') {
            return None;
        }
        let user_id = UserId::parse_with_server_name(name, server).ok()?;
        (user_id.server_name() == server).then_some(user_id)
    }
}

impl Refusal {
    /// This refusal where only the store can be at fault.
    pub(crate) fn into_store(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            other => StoreError::Refused(other.to_string()),
        }
    }
}

//! The users of application services: acted for without tokens of their own.

use appservices::Appservice;
use audit::{Act, AuditTrail, Target};
use model::ids;
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};
use store::{Intent, StoreError};

use crate::{
    AccountKind, Accounts, By, Grant, NewAccount, NewDevice, RegisterError, SignInError, SignedIn,
    applier::AccountChanges,
    change::{Change, Outcome, Proof, Refusal},
    devices::MAX_NAME_BYTES,
};

/// A user as whom an application service acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppserviceUser {
    /// The user's id.
    pub user_id: OwnedUserId,
    /// The same, interned.
    pub user: i64,
    /// The device for which the service speaks, and its session.
    pub device: Option<(OwnedDeviceId, i64)>,
    /// Whether the user can do nothing but sign out.
    pub locked: bool,
    /// Whether the user can do little but read.
    pub suspended: bool,
    /// Whether it is a guest.
    pub guest: bool,
}

/// Why an application service cannot act as a user.
#[derive(Debug, thiserror::Error)]
pub enum ActAsError {
    /// The user is neither the service's own nor in one of its namespaces.
    #[error("the application service cannot act as this user")]
    Unclaimed,
    /// Nobody has made the user yet.
    #[error("the application service has not registered this user")]
    NoSuchUser,
    /// The account is closed.
    #[error("this account has been deactivated")]
    Deactivated,
    /// The user has no such device.
    #[error("this user has no such device")]
    NoSuchDevice,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an application service made no device.
#[derive(Debug, thiserror::Error)]
pub enum MakeDeviceError {
    /// The id cannot be one.
    #[error(transparent)]
    DeviceId(ids::IdRefusal),
    /// The name is too long.
    #[error("a device name has at most {MAX_NAME_BYTES} bytes")]
    NameTooLong,
    /// The user has as many devices as one can have.
    #[error("no more than {0} devices can be signed in")]
    TooMany(i64),
    /// The account was closed this moment.
    #[error("there is no such account")]
    NoSuchUser,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for MakeDeviceError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooMany(limit) => Self::TooMany(limit),
            Refusal::NoSuchUser => Self::NoSuchUser,
            other => Self::Store(other.into_store()),
        }
    }
}

impl Accounts {
    /// The user as whom a service acts, and the device for which it speaks.
    ///
    /// It passes the log's barrier first, as a look-up of a token does.
    pub async fn act_as(
        &self,
        appservice: &Appservice,
        user_id: &UserId,
        device_id: Option<&DeviceId>,
    ) -> Result<AppserviceUser, ActAsError> {
        if !appservice.acts_for(user_id) {
            return Err(ActAsError::Unclaimed);
        }
        self.inner.log.barrier().await?;
        let database = self.database();
        let user = match database.names().cached_user(user_id.as_str()) {
            Some(user) => Some(user),
            None => {
                let snapshot = database.snapshot().await?;
                database.names().user(&snapshot, user_id.as_str()).await?
            }
        };
        let user = user.ok_or(ActAsError::NoSuchUser)?;
        let state = self.inner.changes.user_state(database, user).await?;
        let state = state.ok_or(ActAsError::NoSuchUser)?;
        if state.kind == AccountKind::Server {
            return Err(ActAsError::Unclaimed);
        }
        if state.deactivated {
            return Err(ActAsError::Deactivated);
        }
        let device = match device_id {
            None => None,
            Some(device_id) => {
                let known = state.sessions.get(device_id.as_str());
                let known = known.ok_or(ActAsError::NoSuchDevice)?;
                Some((device_id.to_owned(), known.session))
            }
        };
        Ok(AppserviceUser {
            user_id: state.user_id.clone(),
            user,
            device,
            locked: state.locked,
            suspended: state.suspended,
            guest: state.kind == AccountKind::Guest,
        })
    }

    /// Sees to it that every service's own user is there; however many nodes do so at once, each
    /// is made once.
    pub async fn make_senders(&self) -> Result<(), StoreError> {
        for appservice in self.appservices().iter() {
            let sender = appservice.sender();
            let new = NewAccount {
                localpart: Some(sender.localpart().to_owned()),
                ..NewAccount::default()
            };
            let by = By::appservice(appservice, sender, audit::Origin::default());
            match self
                .register(new, Grant::Appservice(appservice.clone()), by)
                .await
            {
                Ok(_) | Err(RegisterError::Taken) => {}
                Err(RegisterError::Store(error)) => return Err(error),
                Err(other) => return Err(StoreError::Refused(other.to_string())),
            }
        }
        Ok(())
    }

    /// Begins a session for a user of a service.
    pub async fn sign_in_for(
        &self,
        appservice: &Appservice,
        user_id: &UserId,
        device: NewDevice,
        origin: audit::Origin,
    ) -> Result<SignedIn, SignInError> {
        if !appservice.acts_for(user_id) {
            return Err(SignInError::Unclaimed);
        }
        let by = By::appservice(appservice, user_id, origin);
        let mut intent = Intent::new();
        let proof = Proof::Appservice;
        let signing_in = self.add_sign_in(&mut intent, user_id, device, proof, &by)?;
        let mut committed = self.commit(intent).await?;
        Ok(signing_in.conclude(&mut committed)?)
    }

    /// Makes a device for a user of a service, or names the one that is there; tells whether it is
    /// a new one.
    ///
    /// It has no token: the service speaks for it with its own.
    pub async fn make_device(
        &self,
        (user, user_id): (i64, &UserId),
        device_id: &DeviceId,
        display_name: Option<String>,
        by: &By,
    ) -> Result<bool, MakeDeviceError> {
        ids::check_device_id(device_id.as_str()).map_err(MakeDeviceError::DeviceId)?;
        let too_long = |name: &String| name.len() > MAX_NAME_BYTES;
        if display_name.as_ref().is_some_and(too_long) {
            return Err(MakeDeviceError::NameTooLong);
        }
        let is_new = self.device(user, device_id).await?.is_none();
        let mut intent = Intent::new();
        let ticket = intent.add::<AccountChanges>(Change::MakeDevice {
            user,
            device_id: device_id.to_string(),
            display_name,
        });
        if is_new {
            let target = Target::device(user_id.as_str(), device_id.as_str());
            intent.add::<AuditTrail>(by.record(Act::DeviceMade).on(target));
        }
        let mut committed = self.commit(intent).await?;
        let outcome = committed.take(ticket);
        Ok(matches!(outcome, Some(Outcome::DeviceMade)))
    }
}

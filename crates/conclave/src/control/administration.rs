//! Carrying out what the command line asks, in the process that has the database.

use std::{error::Error, sync::Arc, time::Duration};

use accounts::{By, Grant, NewAccount, RegisterError, RegistrationMode, TokenError, TokenTerms};
use audit::{Checkpoint, VerifyError};
use copy::Tell;
use model::{entropy::Entropy, mail_address::MailAddress};
use ruma::OwnedUserId;
use seal::Keyring;
use store::Database;

use super::{Answer, Order, ReportLine, UserLine};
use crate::{Surroundings, node::Owners, storage::Storage};

/// How many accounts are listed at once.
const PAGE: u16 = 500;

/// How many reports are listed at once: they fit into one line, whatever their reasons.
const REPORTS_PAGE: u16 = 32;

/// How long to wait when the socket fails.
const PAUSE: Duration = Duration::from_millis(100);

/// Carries out orders. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Administration {
    pub(super) owners: Owners,
    pub(super) database: Database,
    pub(super) keyring: Keyring,
    pub(super) entropy: Arc<dyn Entropy>,
    public_url: String,
}

/// A sentence for the person at the terminal.
pub(super) type Refusal = String;

impl Administration {
    /// Puts it together.
    pub(crate) fn new(
        owners: Owners,
        storage: &Storage,
        surroundings: &Surroundings,
        public_url: String,
    ) -> Self {
        Self {
            entropy: Arc::clone(&surroundings.entropy),
            owners,
            public_url,
            database: storage.database.clone(),
            keyring: storage.keyring.clone(),
        }
    }

    /// Does what is asked, as whoever may run the program on the server; tells meanwhile how far
    /// it is where that takes long.
    pub(crate) async fn carry_out(&self, order: Order, tell: Tell<'_>) -> Answer {
        let outcome = match order {
            Order::CreateUser {
                name,
                password,
                admin,
                display_name,
            } => {
                let new = NewAccount {
                    localpart: Some(name),
                    password: Some(password.into_text()),
                    admin,
                    display_name,
                    ..NewAccount::default()
                };
                self.create_user(new).await
            }
            Order::ListUsers { after } => self.list_users(after).await,
            Order::ListReports { after } => self.list_reports(after).await,
            Order::ResetPassword { name, password } => {
                self.reset_password(&name, &password.into_text()).await
            }
            Order::DeactivateUser { name, erase } => self.deactivate_user(&name, erase).await,
            Order::Invite {
                name,
                uses,
                lifetime_ms,
                email,
            } => {
                let terms = TokenTerms {
                    invitation: uses.is_none(),
                    localpart: name,
                    uses_allowed: uses,
                    lifetime: Some(Duration::from_millis(lifetime_ms)),
                    send_to: None,
                };
                self.invite(terms, email.as_deref()).await
            }
            Order::DeliveryStatus {} => self.delivery_status().await,
            Order::ListDeadLetters { after } => self.list_dead_letters(after).await,
            Order::ReplayDeadLetters { lane, target } => {
                self.replay_dead_letters(&lane, target.as_deref()).await
            }
            Order::ForgetDeadLetters { lane, target } => {
                self.forget_dead_letters(&lane, target.as_deref()).await
            }
            Order::SendNotice { to, id, text } => self.send_notice(to, id, &text).await,
            Order::VerifyAudit { checkpoint } => self.verify_audit(checkpoint.as_deref()).await,
            Order::Backup { folder } => self.back_up(&folder, tell).await,
        };
        outcome.unwrap_or_else(|sentence| Answer::Refused { sentence })
    }

    /// Waits a little before trying again.
    pub(super) async fn pause(&self) {
        self.owners.log.clock().sleep(PAUSE).await;
    }

    async fn create_user(&self, new: NewAccount) -> Result<Answer, Refusal> {
        let name = new.localpart.clone().unwrap_or_default();
        let made = self
            .owners
            .accounts
            .register(new, Grant::Administrator, By::command_line())
            .await;
        let made = made.map_err(|error| match error {
            RegisterError::Store(_) => failed("the account was not made", &error),
            other => format!("the account {name} was not made: {other}"),
        })?;
        Ok(Answer::UserCreated {
            user_id: made.user_id.to_string(),
        })
    }

    async fn list_users(&self, after: i64) -> Result<Answer, Refusal> {
        let accounts = self.owners.accounts.list(after, PAGE).await;
        let accounts = accounts.map_err(|error| failed("accounts were not read", &error))?;
        let is_full = accounts.len() == usize::from(PAGE);
        let next = accounts.last().map(|last| last.user);
        let users = accounts.into_iter().map(|account| UserLine {
            user_id: account.user_id.to_string(),
            admin: account.admin,
            deactivated: account.deactivated_at.is_some(),
            locked: account.locked,
            suspended: account.suspended,
            kind: account.kind.into(),
        });
        Ok(Answer::Users {
            users: users.collect(),
            next: next.filter(|_| is_full),
        })
    }

    async fn list_reports(&self, after: i64) -> Result<Answer, Refusal> {
        let reports = self.owners.reports.list(after, REPORTS_PAGE).await;
        let reports = reports.map_err(|error| failed("reports were not read", &error))?;
        let is_full = reports.len() == usize::from(REPORTS_PAGE);
        let next = reports.last().map(|last| last.id);
        let reports = reports.into_iter().map(|report| ReportLine {
            id: report.id,
            at: report.at.as_millis(),
            reporter: report.reporter,
            user_id: report.user_id,
            room_id: report.room_id,
            event_id: report.event_id,
            reason: report.reason,
        });
        Ok(Answer::Reports {
            reports: reports.collect(),
            next: next.filter(|_| is_full),
        })
    }

    /// All sessions end: whoever knew the old password may have one.
    async fn reset_password(&self, name: &str, password: &str) -> Result<Answer, Refusal> {
        let user_id = self.user_id(name)?;
        let refuse = |error: &(dyn Error + 'static)| {
            failed(&format!("the password of {user_id} was not set"), error)
        };
        let by = By::command_line();
        let reset = self
            .owners
            .lifecycle
            .reset_password(&user_id, password, &by)
            .await;
        reset.map_err(|error| refuse(&error))?;
        Ok(Answer::PasswordReset {
            user_id: user_id.to_string(),
        })
    }

    async fn deactivate_user(&self, name: &str, erase: bool) -> Result<Answer, Refusal> {
        let user_id = self.user_id(name)?;
        let refuse =
            |error: &(dyn Error + 'static)| failed(&format!("{user_id} is not deactivated"), error);
        let by = By::command_line();
        let closed = self.owners.lifecycle.deactivate(&user_id, erase, &by).await;
        closed.map_err(|error| refuse(&error))?;
        Ok(Answer::UserDeactivated {
            user_id: user_id.to_string(),
        })
    }

    async fn invite(&self, mut terms: TokenTerms, email: Option<&str>) -> Result<Answer, Refusal> {
        let send_to = email.map(MailAddress::parse).transpose();
        terms.send_to = send_to.map_err(|error| format!("--email: {error}"))?;
        let lifetime = terms.lifetime.unwrap_or_default();
        let accounts = &self.owners.accounts;
        if !terms.invitation && accounts.registration_mode() == RegistrationMode::Closed {
            return Err(
                "no token was made: registration.mode is closed, so that nobody could register \
                 with it; set it to token, or make an invitation without --uses"
                    .to_owned(),
            );
        }
        let made = accounts.make_registration_token(terms, By::command_line());
        let made = made.await.map_err(|error| match error {
            TokenError::Store(_) => failed("no invitation was made", &error),
            other => format!("no invitation was made: {other}"),
        })?;
        let expires_at = self.owners.log.clock().now().plus(lifetime);
        Ok(Answer::Invited {
            token: made.token,
            server: self.public_url.clone(),
            expires_at: expires_at.as_millis(),
        })
    }

    async fn verify_audit(&self, checkpoint: Option<&str>) -> Result<Answer, Refusal> {
        let checkpoint = checkpoint.map(str::parse::<Checkpoint>).transpose();
        let checkpoint = checkpoint.map_err(|error| format!("--checkpoint: {error}"))?;
        let verified = audit::verify(&self.database, &self.keyring, checkpoint).await;
        let verified = verified.map_err(|error| match error {
            VerifyError::Broken(broken) => {
                format!("{broken}: the record does not stand as it was written")
            }
            VerifyError::Store(error) => failed("the audit record could not be read", &error),
        })?;
        Ok(Answer::AuditVerified {
            records: verified.records,
            erased: verified.erased,
            checkpoint: verified.head.to_string(),
        })
    }

    pub(super) fn user_id(&self, name: &str) -> Result<OwnedUserId, Refusal> {
        let accounts = &self.owners.accounts;
        accounts.user_id_here(name).ok_or_else(|| {
            let server = accounts.server_name();
            format!("{name} is not a user of {server}: give a name such as alice, or the whole id")
        })
    }
}

pub(super) fn failed(what: &str, error: &(dyn Error + 'static)) -> Refusal {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    let causes: Vec<String> = chain.map(ToString::to_string).collect();
    format!("{what}: {}", causes.join(": "))
}

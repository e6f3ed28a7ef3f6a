//! People, devices, sessions, and what people keep here.
//!
//! - [`Accounts`]: what others ask of this crate; [`AccountChanges`]: its part in the log.
//! - registration: [`NewAccount`], [`Grant`], [`TokenTerms`], [`SharedSecretRegistration`],
//!   [`SetupLink`].
//! - sessions: [`NewDevice`], [`SignedIn`], [`Refreshed`], [`Session`], [`Device`].
//! - user-interactive authentication: [`Operation`], [`Answer`], [`Challenge`].
//! - addresses of mail that stand for accounts: [`emails`].
//! - people to be found, kept from the log: [`people`].
//! - users of application services: [`AppserviceUser`].
//! - what people keep: [`profile`], [`account_data`], [`push_rules`], [`tags`], [`filters`].

mod account;
pub mod account_data;
mod accounts;
mod activity;
mod applier;
mod appservice_users;
mod authenticate;
mod change;
mod check;
mod devices;
pub mod emails;
pub mod filters;
mod guesses;
mod guests;
mod ignored;
mod invitations;
mod invites;
mod kind;
mod migrations;
mod openid;
mod password;
pub mod people;
pub mod profile;
pub mod push_rules;
mod refresh;
mod registration;
mod restrict;
mod rows;
mod secret;
mod server_account;
mod setup;
mod shared_secret;
mod sign_in;
mod slip;
mod state;
pub mod tags;
mod terms;
mod uia;
mod whois;
mod work;
mod write;

pub use account::{Account, AccountError, PasswordError};
pub use accounts::{Accounts, By, OnGuest, RegistrationMode, Settings};
pub use applier::AccountChanges;
pub use appservice_users::{ActAsError, AppserviceUser, MakeDeviceError};
pub use authenticate::{AuthError, Session, Standing};
pub use change::{EditRefusal, Refusal, Restriction};
pub use devices::{Device, DeviceError, RemovedTicket, demand_no_device};
pub use ignored::IGNORED_USERS;
pub use invitations::{MadeToken, TokenError, TokenSummary, TokenTerms};
pub use invites::{demand_invitable, demand_standing};
pub use kind::AccountKind;
pub use migrations::{FLEETING_TABLES, MIGRATIONS};
pub use openid::{OPENID_TOKEN_LIFETIME, OpenidError};
pub use password::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARACTERS, WeakPassword};
pub use refresh::{RefreshError, Refreshed};
pub use registration::{Grant, NewAccount, PresentedToken, RegisterError, Registered, SpentNonce};
pub use restrict::RestrictError;
pub use setup::SetupLink;
pub use shared_secret::{SharedSecretError, SharedSecretRegistration};
pub use sign_in::{LOGIN_TOKEN_LIFETIME, NewDevice, SignInError, SignedIn};
pub use terms::{Agreement, Policy, PolicyText};
pub use uia::{Answer, Challenge, Operation, ProofRefusal, ProveError, Proved, Stage, StageProof};
pub use whois::WhoisError;

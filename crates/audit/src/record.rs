//! One act: who, from where, what, on what, and how it ended.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

/// The longest id of a user, a session, a room or a setting that is kept, in bytes.
const ID_BYTES: usize = 255;

/// The longest user agent, reason or detail that is kept, in bytes.
const TEXT_BYTES: usize = 512;

/// How many details a record has at most.
const DETAILS: usize = 16;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Act {
    /// An account was made by its owner.
    Registered,
    /// An account was made by an administrator.
    AccountCreated,
    /// The owner of an account agreed to a version of a policy while making it.
    TermsAccepted,
    /// An account was closed.
    AccountDeactivated,
    /// A session began.
    SignedIn,
    /// A session was asked for with wrong credentials.
    SignInFailed,
    /// A session was ended by its owner.
    SignedOut,
    /// All sessions of an account were ended by its owner.
    SignedOutEverywhere,
    /// A device was made by an application service, without a session of its own.
    DeviceMade,
    /// A session was ended from another one, or by an administrator.
    DeviceRemoved,
    /// A password was changed by its owner.
    PasswordChanged,
    /// A password was set by an administrator.
    PasswordReset,
    /// An address of mail was added to an account.
    EmailAdded,
    /// An address of mail was taken from an account by its owner.
    EmailRemoved,
    /// A sensitive act was confirmed with wrong credentials.
    ConfirmationFailed,
    /// A refresh token was used a second time: its session was ended.
    RefreshTokenReused,
    /// A person was invited to register.
    InvitationMade,
    /// A token that lets people register was made.
    RegistrationTokenMade,
    /// A token that lets people register was taken back.
    RegistrationTokenRevoked,
    /// A token that lets a person sign in once was made.
    LoginTokenMade,
    /// An account was made an administrator's.
    AdminGranted,
    /// An account is no longer an administrator's.
    AdminRevoked,
    /// A person was locked: nothing but signing out is left to them.
    AccountLocked,
    /// A person is no longer locked.
    AccountUnlocked,
    /// A person was suspended: little but reading is left to them.
    AccountSuspended,
    /// A person is no longer suspended.
    SuspensionLifted,
    /// A person, a room or an event was reported to the administrators.
    ReportMade,
    /// The server told a person something.
    NoticeSent,
    /// A person's encryption keys were set anew.
    KeysReset,
    /// A person's cross-signing keys were changed.
    CrossSigningKeysChanged,
    /// A server-side backup of room keys was made.
    BackupCreated,
    /// A server-side backup of room keys was deleted.
    BackupDeleted,
    /// The server started with another configuration than before.
    ConfigurationChanged,
    /// A copy of everything was begun.
    CopyBegun,
    /// A copy of everything was finished and proved.
    CopyFinished,
    /// Everything was restored from a copy.
    CopyRestored,
    /// Everything was moved to another database.
    DeploymentMoved,
    /// The database failed over to a server that had not received everything.
    HistoryLost,
    /// What could not be delivered is tried again.
    DeliveriesReplayed,
    /// What could not be delivered was forgotten.
    DeliveriesForgotten,
    /// A room or an event without encryption was refused.
    RoomEncryptionRefused,
    /// An administrator used the administration interface.
    AdministratorActed,
    /// What a newer version of the program recorded, and this one does not know.
    #[serde(other)]
    Unknown,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// A person.
    User {
        /// The user id.
        user_id: String,
        /// The device id of the session in which it was done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
    },
    /// An application service.
    Appservice {
        /// Its id.
        appservice: String,
        /// The user as whom it did it.
        user_id: String,
    },
    /// Whoever may run the program on the server.
    CommandLine,
    /// The server itself.
    System,
    /// Somebody who has not said, or not proved, who they are.
    Anonymous,
}

/// From where it was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// What it was done to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// A person's account.
    User {
        /// The user id.
        user_id: String,
    },
    /// One of a person's devices.
    Device {
        /// The user id.
        user_id: String,
        /// The device id.
        device_id: String,
    },
    /// A room.
    Room {
        /// The room id.
        room_id: String,
    },
    /// A part of the configuration.
    Configuration {
        /// The key.
        key: String,
    },
    /// Nothing in particular.
    None,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not done.
    Refused {
        /// Why.
        reason: String,
    },
}

/// One act. Whatever is put into it is cut to a bounded length and freed of control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    act: Act,
    actor: Actor,
    origin: Origin,
    target: Target,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "is_zero")]
    repeated: u32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<Cow<'static, str>, String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Record {
    /// Begins a record of an act that was done, from nowhere known, on nothing in particular.
    pub fn new(act: Act, actor: Actor) -> Self {
        let actor = match actor {
            Actor::User { user_id, session } => Actor::User {
                user_id: bounded(user_id, ID_BYTES),
                session: session.map(|session| bounded(session, ID_BYTES)),
            },
            Actor::Appservice {
                appservice,
                user_id,
            } => Actor::Appservice {
                appservice: bounded(appservice, ID_BYTES),
                user_id: bounded(user_id, ID_BYTES),
            },
            other => other,
        };
        Self {
            act,
            actor,
            origin: Origin::default(),
            target: Target::None,
            outcome: Outcome::Done,
            repeated: 0,
            details: BTreeMap::new(),
        }
    }

    /// Tells from where it was done.
    #[must_use]
    pub fn from(mut self, origin: Origin) -> Self {
        self.origin = Origin {
            address: origin.address.map(|address| address.to_canonical()),
            user_agent: origin.user_agent.map(|agent| bounded(agent, TEXT_BYTES)),
        };
        self
    }

    /// Tells what it was done to.
    #[must_use]
    pub fn on(mut self, target: Target) -> Self {
        self.target = target.bounded();
        self
    }

    /// Tells that it was not done, and why.
    #[must_use]
    pub fn refused(mut self, reason: impl Into<String>) -> Self {
        self.outcome = Outcome::Refused {
            reason: bounded(reason.into(), TEXT_BYTES),
        };
        self
    }

    /// Adds a detail; beyond the sixteenth it is left out. Never a secret, never a message.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if self.details.len() < DETAILS || self.details.contains_key(name) {
            let value = bounded(value.into(), TEXT_BYTES);
            self.details.insert(name.into(), value);
        }
        self
    }

    /// Tells how many acts like this one were not recorded since the last one that was.
    #[must_use]
    pub(crate) fn repeated_times(mut self, repeated: u32) -> Self {
        self.repeated = repeated;
        self
    }

    /// What was done.
    pub fn act(&self) -> Act {
        self.act
    }

    /// Who did it.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// From where it was done.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What it was done to.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How it ended.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// How many acts like this one stand behind it without a record of their own.
    pub fn repeated(&self) -> u32 {
        self.repeated
    }

    /// What else is to be known, by name.
    pub fn details(&self) -> impl Iterator<Item = (&str, &str)> {
        self.details
            .iter()
            .map(|(name, value)| (&**name, value.as_str()))
    }

    /// The record as canonical JSON: keys in order, no space between.
    pub(crate) fn to_canonical_json(&self) -> String {
        let mut value = serde_json::to_value(self).expect("strings and numbers always serialise");
        value.sort_all_objects();
        value.to_string()
    }
}

impl Target {
    /// Names a user.
    pub fn user(user_id: impl Into<String>) -> Self {
        Self::User {
            user_id: user_id.into(),
        }
    }

    /// Names a device.
    pub fn device(user_id: impl Into<String>, device_id: impl Into<String>) -> Self {
        Self::Device {
            user_id: user_id.into(),
            device_id: device_id.into(),
        }
    }

    /// Names a room.
    pub fn room(room_id: impl Into<String>) -> Self {
        Self::Room {
            room_id: room_id.into(),
        }
    }

    /// Names a key of the configuration.
    pub fn configuration(key: impl Into<String>) -> Self {
        Self::Configuration { key: key.into() }
    }

    fn bounded(self) -> Self {
        let id = |id| bounded(id, ID_BYTES);
        match self {
            Self::User { user_id } => Self::User {
                user_id: id(user_id),
            },
            Self::Device { user_id, device_id } => Self::Device {
                user_id: id(user_id),
                device_id: id(device_id),
            },
            Self::Room { room_id } => Self::Room {
                room_id: id(room_id),
            },
            Self::Configuration { key } => Self::Configuration { key: id(key) },
            Self::None => Self::None,
        }
    }
}

/// Cuts a text after `limit_bytes` and replaces control characters, which would let one record
/// look like two where it is printed.
fn bounded(text: String, limit_bytes: usize) -> String {
    if text.len() <= limit_bytes && !text.contains(char::is_control) {
        return text;
    }
    let end = text.floor_char_boundary(limit_bytes);
    let mut kept: String = text[..end]
        .chars()
        .map(|character| match character {
            character if character.is_control() => ' ',
            character => character,
        })
        .collect();
    if end < text.len() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Actor {
        Actor::User {
            user_id: "@alice:example.org".to_owned(),
            session: Some("ABC".to_owned()),
        }
    }

    #[test]
    fn a_record_is_written_with_its_keys_in_order() {
        let record = Record::new(Act::DeviceRemoved, alice())
            .from(Origin {
                address: "192.0.2.7".parse().ok(),
                user_agent: None,
            })
            .on(Target::device("@alice:example.org", "DEF"))
            .with("way", "settings")
            .with("name", "old phone");
        assert_eq!(
            record.to_canonical_json(),
            r#"{"act":"device_removed","actor":{"kind":"user","session":"ABC","user_id":"@alice:example.org"},"details":{"name":"old phone","way":"settings"},"origin":{"address":"192.0.2.7"},"outcome":{"kind":"done"},"target":{"device_id":"DEF","kind":"device","user_id":"@alice:example.org"}}"#
        );
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = Record::new(Act::SignInFailed, Actor::Anonymous)
            .on(Target::user("@bob:example.org"))
            .refused("wrong password")
            .repeated_times(4);
        let json = record.to_canonical_json();
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
    }

    #[test]
    fn an_act_of_a_newer_version_can_still_be_read() {
        let json = Record::new(Act::SignedIn, alice()).to_canonical_json();
        let newer = json.replace("signed_in", "teleported");
        let record: Record = serde_json::from_str(&newer).unwrap();
        assert_eq!(record.act(), Act::Unknown);
    }

    #[test]
    fn what_is_recorded_is_bounded_and_free_of_control_characters() {
        let mut record = Record::new(Act::SignedIn, alice())
            .from(Origin {
                address: None,
                user_agent: Some("é".repeat(100_000)),
            })
            .with("line", "one\ntwo\0three");
        for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i"] {
            record = record.with(name, "x".repeat(100_000));
        }
        for name in ["j", "k", "l", "m", "n", "o", "p", "q", "r"] {
            record = record.with(name, "\u{1}".repeat(100_000));
        }
        assert_eq!(record.details().count(), DETAILS);
        assert!(
            record
                .details()
                .any(|detail| detail == ("line", "one two three"))
        );
        assert!(record.to_canonical_json().len() < 16 * 1024);
    }
}

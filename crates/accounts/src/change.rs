//! What this crate's tables can be asked to become.

use std::sync::Arc;

use model::time::Timestamp;
use ruma::OwnedUserId;
use store::StoreError;

use crate::{AccountKind, rows::Hash};

/// One change of accounts, sessions or what people keep here.
pub enum Change {
    /// Makes an account.
    Register(Register),
    /// Begins a session.
    SignIn(SignIn),
    /// Hands out another pair of tokens.
    Refresh(Refresh),
    /// The newest pair was used: those before it end.
    Confirm {
        /// The user.
        user: i64,
        /// The device.
        device_id: String,
        /// Its session.
        session: i64,
        /// The pair's generation.
        generation: i64,
    },
    /// Ends one session, if it is still this one.
    EndSession {
        /// The user.
        user: i64,
        /// The device.
        device_id: String,
        /// Its session.
        session: i64,
    },
    /// Removes devices, and with them their sessions.
    RemoveDevices {
        /// The user.
        user: i64,
        /// The devices; those that do not exist are passed over.
        device_ids: Vec<String>,
    },
    /// Makes a device without tokens, or names the one that is there.
    MakeDevice {
        /// The user.
        user: i64,
        /// The device.
        device_id: String,
        /// Its name; without one a device that is there keeps its own.
        display_name: Option<String>,
    },
    /// Names a device.
    RenameDevice {
        /// The user.
        user: i64,
        /// The device.
        device_id: String,
        /// Its name, or none.
        display_name: Option<String>,
    },
    /// Sets the password.
    SetPassword {
        /// The user.
        user: i64,
        /// The stored password that the caller has proved to know.
        expected: Option<String>,
        /// What will be stored.
        hash: String,
    },
    /// Closes an account; its devices go with it.
    Deactivate {
        /// The user.
        user: i64,
        /// Whether what the person told of themselves goes too.
        erase: bool,
    },
    /// Makes an account an administrator's, or not.
    SetAdmin {
        /// The user.
        user: i64,
        /// Whether it shall be.
        admin: bool,
    },
    /// Locks or suspends a person, or frees them.
    Restrict {
        /// Whom.
        user: i64,
        /// From what.
        restriction: Restriction,
        /// Whether it holds from now on.
        holds: bool,
        /// The administrator who wants it.
        by: i64,
    },
    /// Changes nothing, and refuses the whole intent unless a person here takes invitations.
    DemandInvitable {
        /// Who is to be invited.
        user_id: OwnedUserId,
    },
    /// Changes nothing, and refuses the whole intent unless an account is open and may act: neither
    /// locked nor suspended.
    DemandStanding {
        /// Whose account.
        user: i64,
    },
    /// Changes nothing, and refuses the whole intent if somebody is signed in under a device id, or
    /// the account is closed.
    DemandNoDevice {
        /// Whose device.
        user: i64,
        /// The id.
        device_id: String,
    },
    /// Sets a profile field to JSON, or takes it back.
    SetProfileField {
        /// The user.
        user: i64,
        /// The field.
        field: String,
        /// Its value.
        value: Option<Vec<u8>>,
    },
    /// Changes an account-data entry, seeing what stands.
    EditAccountData(EditAccountData),
    /// Keeps a filter.
    PutFilter {
        /// The user.
        user: i64,
        /// Its id.
        filter_id: String,
        /// The filter.
        content: Vec<u8>,
    },
    /// Makes a token that lets people register.
    MakeRegistrationToken(MakeRegistrationToken),
    /// Takes such a token back.
    RevokeRegistrationToken {
        /// Its id.
        id: i64,
    },
    /// Makes a token that lets a person sign in once.
    MakeLoginToken {
        /// The user.
        user: i64,
        /// The token's hash.
        hash: Hash,
        /// When it ends.
        expires_at: Timestamp,
    },
    /// Makes a token with which a person proves to another service who they are.
    MakeOpenidToken {
        /// The user.
        user: i64,
        /// The token's hash.
        hash: Hash,
        /// When it ends.
        expires_at: Timestamp,
    },
    /// Makes a link with which the first administrator is made.
    MakeSetupLink {
        /// The hash of its token.
        hash: Hash,
        /// When it ends.
        expires_at: Timestamp,
    },
}

/// What an administrator can put a person under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// They can do nothing but sign out.
    Lock,
    /// They can do little but read.
    Suspension,
}

/// A new account, or a guest's that becomes a person's.
pub struct Register {
    /// Its id.
    pub user_id: OwnedUserId,
    /// Whose it is.
    pub kind: AccountKind,
    /// The session of the guest whose account it has been.
    pub of_guest: Option<GuestSession>,
    /// The stored form of its password.
    pub password_hash: Option<String>,
    /// Whether it is an administrator's.
    pub admin: bool,
    /// The name that others see, as JSON.
    pub display_name: Option<Vec<u8>>,
    /// What is kept of the terms that its owner agreed to, as JSON.
    pub accepted_terms: Option<Vec<u8>>,
    /// What allows it.
    pub permit: Permit,
}

/// A session of a guest.
pub struct GuestSession {
    /// The device.
    pub device_id: String,
    /// Its session.
    pub session: i64,
}

/// What allows a registration; whatever is used once is used up by it.
pub enum Permit {
    /// Nothing is asked for.
    None,
    /// A registration token; with the flag only an invitation will do.
    Token(Hash, bool),
    /// A nonce of the shared secret, and when it ends.
    Nonce(Hash, Timestamp),
    /// The link of the first start.
    SetupLink(Hash),
}

/// A new session.
pub struct SignIn {
    /// Whose.
    pub user_id: OwnedUserId,
    /// On which device.
    pub device_id: String,
    /// The device's name, if it is a new one.
    pub display_name: Option<String>,
    /// The first access token.
    pub access: NewToken,
    /// The first refresh token.
    pub refresh: Option<Hash>,
    /// What was proved, and must still hold.
    pub proof: Proof,
}

/// An access token to be.
#[derive(Clone, Copy)]
pub struct NewToken {
    /// Its hash.
    pub hash: Hash,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// What lets a session begin.
pub enum Proof {
    /// Another change of the same intent, or an administrator.
    None,
    /// The password whose stored form this is.
    Password(String),
    /// A login token, which is used up.
    LoginToken(Hash),
    /// That the user is an application service's.
    Appservice,
}

/// A refresh.
pub struct Refresh {
    /// The refresh token that was presented.
    pub presented: Hash,
    /// The next access token.
    pub access: NewToken,
    /// The next refresh token.
    pub refresh: Hash,
}

/// A change of one account-data entry.
pub struct EditAccountData {
    /// The user.
    pub user: i64,
    /// The room; none for what is global.
    pub room_id: Option<String>,
    /// The entry's type.
    pub kind: String,
    /// About how large it will be.
    pub size_bytes: usize,
    /// Makes the new content.
    pub edit: Edit,
}

/// Makes new content from what stands; it may be called more than once.
pub(crate) type Edit = Arc<dyn Fn(Option<&[u8]>) -> Result<Vec<u8>, EditRefusal> + Send + Sync>;

/// A registration token to be.
pub struct MakeRegistrationToken {
    /// Its hash.
    pub hash: Hash,
    /// Whether it is an invitation.
    pub invitation: bool,
    /// The name that who registers with it gets.
    pub localpart: Option<String>,
    /// How often it can be used.
    pub uses_allowed: Option<i64>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it is asked for: tokens that ended before may make room.
    pub at: Timestamp,
}

/// What became of a change.
#[derive(Debug)]
pub enum Outcome {
    /// It stands.
    Done,
    /// There was nothing to change.
    Unchanged,
    /// An account was made; its interned id.
    Registered(i64),
    /// A session began.
    SignedIn {
        /// The user.
        user: i64,
        /// The session.
        session: i64,
        /// Whether the device is new.
        new_device: bool,
    },
    /// Tokens were handed out.
    Refreshed {
        /// The user.
        user: i64,
        /// The device.
        device_id: String,
    },
    /// A device was made.
    DeviceMade,
    /// These devices were removed.
    Removed(Vec<String>),
    /// A registration token was made; its id.
    TokenMade(i64),
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The user id is taken.
    #[error("this user name is taken")]
    UserInUse,
    /// There is no such account, or it is closed.
    #[error("there is no such account")]
    NoSuchUser,
    /// There is no such device.
    #[error("there is no such device")]
    NoSuchDevice,
    /// The password was changed in the meantime.
    #[error("the password was changed in the meantime")]
    PasswordChanged,
    /// What was presented does not exist, was used up or has expired.
    #[error("the token is not valid, was used before or has expired")]
    TokenNotValid,
    /// An invitation is for another name.
    #[error("the invitation is for another user name")]
    AnotherName,
    /// A refresh token was presented after its successor was used.
    #[error("the refresh token was used before")]
    RefreshTokenReused {
        /// The user.
        user: i64,
        /// The device.
        device_id: String,
        /// The session, which should end.
        session: i64,
    },
    /// The account is locked.
    #[error("this account is locked")]
    Locked,
    /// There is such a device.
    #[error("there is such a device")]
    DeviceExists,
    /// The account is suspended.
    #[error("this account is suspended")]
    Suspended,
    /// Only an administrator does this.
    #[error("only an administrator of this server can do this")]
    NotAdministrator,
    /// It is not done to administrators, oneself included.
    #[error("an administrator can be neither locked nor suspended")]
    ToAdministrator,
    /// The person takes no invitations.
    #[error("{0} does not take invitations")]
    InvitesBlocked(OwnedUserId),
    /// The account is a guest's, or the server's own.
    #[error("this account is no person's")]
    NoPerson,
    /// No guest with this session has this name.
    #[error("no guest of this name has this access token")]
    NotThisGuest,
    /// An administrator exists already.
    #[error("an administrator exists already")]
    AdministratorExists,
    /// The user keeps as many as may be kept.
    #[error("no more than {0} of these can be kept")]
    TooMany(i64),
    /// An edit refused.
    #[error(transparent)]
    Edit(#[from] EditRefusal),
    /// What stands could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an edit refused; the editor knows the type behind it.
#[derive(Debug, thiserror::Error)]
#[error("the change does not fit what stands")]
pub struct EditRefusal(pub Box<dyn std::any::Any + Send + Sync>);

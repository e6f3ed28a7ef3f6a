//! What can be asked of a server on its own machine, and what it answers: a line of JSON each.

use accounts::AccountKind;
use serde::{Deserialize, Serialize};

use super::Password;

/// What is asked.
#[derive(Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Order {
    /// Make an account.
    CreateUser {
        name: String,
        password: Password,
        admin: bool,
        display_name: Option<String>,
    },
    /// List accounts, after one of them.
    ListUsers { after: i64 },
    /// List reports, after one of them.
    ListReports { after: i64 },
    /// Set a password, and end all sessions.
    ResetPassword { name: String, password: Password },
    /// Close an account.
    DeactivateUser { name: String, erase: bool },
    /// Make an invitation, or with `uses` a registration token.
    Invite {
        name: Option<String>,
        uses: Option<u32>,
        lifetime_ms: u64,
        /// Who is sent the invitation by mail.
        email: Option<String>,
    },
    /// Tell how much waits to leave.
    DeliveryStatus {},
    /// List dead letters, after one of them.
    ListDeadLetters { after: Option<DeadLetterLine> },
    /// Let dead letters be tried again.
    ReplayDeadLetters {
        lane: String,
        target: Option<String>,
    },
    /// Forget dead letters.
    ForgetDeadLetters {
        lane: String,
        target: Option<String>,
    },
    /// Tell one person something, or, with `after`, everybody from there on: some of them. Without
    /// an id the notice gets one.
    SendNotice {
        to: Recipients,
        id: Option<String>,
        text: String,
    },
    /// Prove that the audit record stands as it was written, up to a checkpoint at least.
    VerifyAudit { checkpoint: Option<String> },
    /// Write a copy of everything into a folder, named from the root.
    Backup { folder: String },
}

/// What is answered.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The account is there.
    UserCreated { user_id: String },
    /// Some accounts, and after which to ask again if there may be more.
    Users {
        users: Vec<UserLine>,
        next: Option<i64>,
    },
    /// Some reports, and after which to ask again if there may be more.
    Reports {
        reports: Vec<ReportLine>,
        next: Option<i64>,
    },
    /// The password is set.
    PasswordReset { user_id: String },
    /// The account is closed.
    UserDeactivated { user_id: String },
    /// The token, shown this once, when it ends in milliseconds since 1970, and where it counts.
    Invited {
        token: String,
        expires_at: i64,
        server: String,
    },
    /// How much waits to leave, by lane.
    Deliveries { lanes: Vec<LaneLine> },
    /// Some dead letters, and after which to ask again if there may be more.
    DeadLetters {
        letters: Vec<DeadLetterLine>,
        next: Option<DeadLetterLine>,
    },
    /// So many dead letters are tried again.
    DeadLettersReplayed { count: u64 },
    /// So many dead letters are forgotten.
    DeadLettersForgotten { count: u64 },
    /// Some people were told; under which name the notice goes on, and after which account.
    NoticesSent {
        id: String,
        told: u64,
        before: u64,
        untold: Vec<String>,
        next: Option<i64>,
    },
    /// The record stands.
    AuditVerified {
        records: u64,
        erased: u64,
        checkpoint: String,
    },
    /// The copy is made and proved.
    BackedUp(Box<CopyLine>),
    /// How far it is; the answer itself comes later.
    Progress { sentence: String },
    /// It was not done: a sentence.
    Refused { sentence: String },
}

/// Who is told something.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Recipients {
    /// A person, by name or whole id.
    One(String),
    /// Those of everybody whose accounts come after this one.
    After(i64),
}

/// One account in a list.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserLine {
    pub(crate) user_id: String,
    pub(crate) admin: bool,
    pub(crate) deactivated: bool,
    pub(crate) locked: bool,
    pub(crate) suspended: bool,
    pub(crate) kind: UserKind,
}

/// Whose an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UserKind {
    Person,
    Guest,
    Server,
}

impl From<AccountKind> for UserKind {
    fn from(kind: AccountKind) -> Self {
        match kind {
            AccountKind::Person => Self::Person,
            AccountKind::Guest => Self::Guest,
            AccountKind::Server => Self::Server,
        }
    }
}

/// One report in a list.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportLine {
    pub(crate) id: i64,
    pub(crate) at: i64,
    pub(crate) reporter: String,
    pub(crate) user_id: Option<String>,
    pub(crate) room_id: Option<String>,
    pub(crate) event_id: Option<String>,
    pub(crate) reason: String,
}

/// How much waits to leave in one lane.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaneLine {
    pub(crate) lane: String,
    pub(crate) letters: i64,
    pub(crate) targets: i64,
    pub(crate) failing: i64,
    pub(crate) dead: i64,
}

/// One dead letter in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeadLetterLine {
    pub(crate) lane: String,
    pub(crate) target: String,
    pub(crate) pos: i64,
    pub(crate) queued_at: i64,
    pub(crate) died_at: i64,
    pub(crate) fault: String,
}

/// What a copy holds, for who asked for it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CopyLine {
    pub(crate) rows: u64,
    pub(crate) files: u64,
    pub(crate) size_bytes: u64,
    pub(crate) head: i64,
    pub(crate) taken_at: i64,
    pub(crate) missing: u64,
    pub(crate) master_key: String,
}

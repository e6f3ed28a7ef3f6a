//! People who are invited into rooms by an address of mail that stands for no account.
//!
//! An invitation is a state event of the room, a row here and a mail, committed together. When the
//! address stands for an account, that user is invited in its place, once.

use model::{
    entropy::random_text,
    mail_address::MailAddress,
    third_party_invite::{InviteKey, hint_at},
};
use ruma::{CanonicalJsonObject, OwnedRoomId, RoomId, UserId};
use serde::{Deserialize, Serialize};
use store::{Intent, Row, StoreError};

use super::{
    EMAIL_INVITE_LIFETIME,
    applier::EmailChanges,
    change::{EmailChange, EmailRefusal, Invite, Write},
    rows::{Content, Kind},
};
use crate::{
    Accounts,
    secret::{self, Secret},
};

/// Random characters in the token of an invitation.
const TOKEN_CHARACTERS: usize = 24;

/// How much is kept of a name that a mail tells.
const MAX_NAME_CHARS: usize = 255;

/// What the mail about an invitation tells: names that people chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteWords {
    /// How who invites is shown.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub inviter: Option<String>,
    /// How the room is called.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
}

/// An invitation that is to be made.
pub struct NewEmailInvite {
    /// The state key of the event that stands for whom is invited.
    pub token: String,
    /// The public key that the event names.
    pub public_key: String,
    /// What stands there of the address.
    pub hint: String,
    inviter: i64,
    mail: Write,
}

/// An invitation whose address stands for an account by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueEmailInvite {
    /// Its token.
    pub token: String,
    /// The room, interned.
    pub room: i64,
    /// Who has invited, interned.
    pub inviter: i64,
    /// Whose account it is, interned.
    pub user: i64,
}

const STANDING: &str = "SELECT token FROM email_invites WHERE address_hash = $1 AND room = $2 \
     AND made_at > $3";
const DUE: &str = "SELECT i.token, i.room, i.inviter, a.user_id FROM email_invites i \
     JOIN email_addresses a ON a.address_hash = i.address_hash WHERE i.made_at > $1 \
     ORDER BY i.made_at, i.token LIMIT 100";
const KEY: &str = "SELECT 1 FROM email_invites WHERE public_key = $1 AND made_at > $2";

impl Accounts {
    /// Makes an invitation of an address by a user; it stands when an intent [takes
    /// it](NewEmailInvite::add_to).
    pub fn new_email_invite(
        &self,
        inviter: i64,
        address: &MailAddress,
        words: InviteWords,
    ) -> NewEmailInvite {
        let token = random_text(&*self.inner.entropy, TOKEN_CHARACTERS);
        let key = self.email_invite_key(&token);
        let short = |name: String| name.chars().take(MAX_NAME_CHARS).collect();
        let words = InviteWords {
            inviter: words.inviter.map(short),
            room: words.room.map(short),
        };
        let content = Content {
            kind: Some(Kind::RoomInvite),
            address: address.as_str().to_owned(),
            user: Some(inviter),
            words: Some(words),
            ..Content::default()
        };
        NewEmailInvite {
            public_key: key.public_text(),
            hint: hint_at(address),
            inviter,
            mail: Write {
                id: Secret::new(&*self.inner.entropy, secret::EMAIL).hash,
                address_hash: self.email_hash(address),
                about: token.clone(),
                content,
            },
            token,
        }
    }

    /// The token of the invitation of an address into a room, by interned id, if one stands.
    pub async fn email_invite(
        &self,
        room: i64,
        address: &MailAddress,
    ) -> Result<Option<String>, StoreError> {
        let hash = self.email_hash(address);
        let params = [
            hash.as_slice().into(),
            room.into(),
            self.oldest_email_invite(),
        ];
        let row = self.database().query_opt(STANDING, &params).await?;
        row.map(|row| Ok(row.text(0)?.to_owned())).transpose()
    }

    /// Some of the invitations whose addresses stand for accounts by now, the oldest first.
    pub async fn due_email_invites(&self) -> Result<Vec<DueEmailInvite>, StoreError> {
        let params = [self.oldest_email_invite()];
        let rows = self.database().query(DUE, &params).await?;
        rows.iter().map(due).collect()
    }

    /// Whether an invitation stands that names this key, in unpadded standard base64.
    pub async fn is_email_invite_key(&self, key: &str) -> Result<bool, StoreError> {
        let params = [key.into(), self.oldest_email_invite()];
        Ok(self.database().query_opt(KEY, &params).await?.is_some())
    }

    /// Says that a user is whom the invitation with this token is for.
    pub fn sign_email_invite(&self, token: &str, user_id: &UserId) -> CanonicalJsonObject {
        let key = self.email_invite_key(token);
        key.sign(self.server_name(), token, user_id)
    }

    /// Ends an invitation in an intent, of which nothing is done when there is none.
    pub fn add_end_email_invite(intent: &mut Intent, token: &str) {
        let token = token.to_owned();
        intent.add::<EmailChanges>(EmailChange::EndInvite { token });
    }

    /// Ends an invitation.
    pub async fn end_email_invite(&self, token: &str) -> Result<(), StoreError> {
        let token = token.to_owned();
        let ended = self.commit_email(EmailChange::EndInvite { token }).await;
        ended.map(drop).map_err(EmailRefusal::into_store)
    }

    fn email_invite_key(&self, token: &str) -> InviteKey {
        let keyring = &self.inner.keyring;
        InviteKey::from_seed(&keyring.blind("accounts.email_invites", token.as_bytes()))
    }

    fn oldest_email_invite(&self) -> store::Value {
        let oldest = self.now().minus(EMAIL_INVITE_LIFETIME);
        oldest.as_millis().into()
    }
}

impl NewEmailInvite {
    /// Adds the invitation into a room to an intent, in the place of one that is worth nothing.
    pub fn add_to(&self, intent: &mut Intent, room_id: &RoomId, replaces: Option<String>) {
        let room_id: OwnedRoomId = room_id.to_owned();
        intent.add::<EmailChanges>(EmailChange::Invite(Box::new(Invite {
            room_id,
            inviter: self.inviter,
            token: self.token.clone(),
            public_key: self.public_key.clone(),
            replaces,
            mail: self.mail.clone(),
        })));
    }
}

fn due(row: &Row) -> Result<DueEmailInvite, StoreError> {
    Ok(DueEmailInvite {
        token: row.text(0)?.to_owned(),
        room: row.int(1)?,
        inviter: row.int(2)?,
        user: row.int(3)?,
    })
}

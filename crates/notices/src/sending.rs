//! A notice to one person: all that it takes, in one change.

use accounts::{Account, AccountKind, By, Refusal};
use audit::{Act, AuditTrail, Record, Target};
use rooms::{MemberProfile, Notice, Notifier, RoomsError, RoomsRefusal};
use ruma::{OwnedUserId, RoomId, UserId};
use store::{CommitError, Intent, StoreError};

use crate::Notices;

/// The longest text of a notice.
pub const MAX_TEXT_BYTES: usize = 32 * 1024;

/// The longest name of a notice.
pub const MAX_ID_BYTES: usize = 255;

/// How often another node may do first what this one is about to.
const ATTEMPTS: u32 = 8;

/// The tag by which clients know the room.
const TAG: &str = "m.server_notice";

/// What became of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The person has it.
    Now,
    /// The person had it before.
    Before,
}

/// Why a notice was not sent.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// The text is empty or too long.
    #[error("a notice has 1 to {MAX_TEXT_BYTES} bytes of text")]
    Text,
    /// The name cannot be one.
    #[error("the id of a notice has 1 to {MAX_ID_BYTES} bytes")]
    Id,
    /// There is no such person, or their account is closed.
    #[error("there is no such account, or it is closed")]
    NoSuchUser,
    /// The account under which notices are sent is somebody's.
    #[error("{0} is a person's account: choose another notices.localpart")]
    NameTaken(OwnedUserId),
    /// The name of the account under which notices are sent cannot be one.
    #[error("notices.localpart is no user name")]
    BadName,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an attempt sent nothing.
enum Missed {
    /// Another node was faster with a part of it.
    Overtaken,
    Failed(NoticeError),
}

impl<E: Into<NoticeError>> From<E> for Missed {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Notices {
    /// Sends a notice to somebody, unless they had one of this name before. Their room is made
    /// with the first: everything stands together, or nothing does.
    pub async fn send(
        &self,
        user_id: &UserId,
        id: &str,
        text: &str,
        by: &By,
    ) -> Result<Told, NoticeError> {
        check(id, text)?;
        let account = self.accounts.account(user_id).await?;
        let account = account.ok_or(NoticeError::NoSuchUser)?;
        self.send_to(&account, id, text, by).await
    }

    /// The same to a known account, with a name and a text that were checked.
    pub(crate) async fn send_to(
        &self,
        account: &Account,
        id: &str,
        text: &str,
        by: &By,
    ) -> Result<Told, NoticeError> {
        if account.deactivated_at.is_some() || account.kind == AccountKind::Server {
            return Err(NoticeError::NoSuchUser);
        }
        let user_id = &*account.user_id;
        let notice = Notice { user_id, id, text };
        for _ in 0..ATTEMPTS {
            // Whatever another node did, this one has seen.
            self.log.barrier().await?;
            let had = self.rooms.has_notice(account.user, id).await;
            if had.map_err(store_error)? {
                return Ok(Told::Before);
            }
            match self.attempt(account, notice, by).await {
                Ok(true) => return Ok(Told::Now),
                Ok(false) => return Ok(Told::Before),
                Err(Missed::Overtaken) => {}
                Err(Missed::Failed(error)) => return Err(error),
            }
        }
        let sentence = "others kept changing the same".to_owned();
        Err(StoreError::Refused(sentence).into())
    }

    /// Sends a notice into the room of its reader, or makes that; tells whether it was sent now.
    async fn attempt(
        &self,
        account: &Account,
        notice: Notice<'_>,
        by: &By,
    ) -> Result<bool, Missed> {
        let room = self.rooms.notices_room(account.user).await;
        if let Some(room) = room.map_err(store_error)? {
            let extra = |intent: &mut Intent, _: &RoomId| {
                intent.add::<AuditTrail>(record(account, notice, by));
            };
            let sent = self.rooms.send_notice(&self.log, &room, notice, extra);
            return sent.await.map_err(missed);
        }
        let notifier = self.notifier().await?;
        let profile = self.shown(account).await?;
        let extra = |intent: &mut Intent, room_id: &RoomId| {
            if notifier.is_new {
                let name = &self.options.display_name;
                self.accounts
                    .add_server_account(intent, &notifier.user_id, name);
            }
            self.accounts.add_tag(intent, account.user, room_id, TAG);
            intent.add::<AuditTrail>(record(account, notice, by));
        };
        let by = Notifier {
            user_id: &notifier.user_id,
            display_name: &self.options.display_name,
        };
        let begun = self
            .rooms
            .begin_notices(&self.log, by, (notice, profile), extra);
        begun.await.map_err(missed)
    }

    /// How somebody is shown in a room that they are invited to.
    async fn shown(&self, account: &Account) -> Result<MemberProfile, StoreError> {
        let profile = self.accounts.profile(&account.user_id).await?;
        let profile = profile.unwrap_or_default();
        let text = |field: &str| profile.get(field).and_then(|value| value.as_str());
        Ok(MemberProfile {
            displayname: text(accounts::profile::DISPLAY_NAME).map(str::to_owned),
            avatar_url: text(accounts::profile::AVATAR_URL).map(Into::into),
        })
    }

    /// The account under which new rooms are made.
    async fn notifier(&self) -> Result<NotifierAccount, NoticeError> {
        let user_id = self.accounts.user_id_here(&self.options.localpart);
        let user_id = user_id.ok_or(NoticeError::BadName)?;
        let account = self.accounts.account(&user_id).await?;
        match account {
            Some(account) if account.kind != AccountKind::Server => {
                Err(NoticeError::NameTaken(user_id))
            }
            account => Ok(NotifierAccount {
                user_id,
                is_new: account.is_none(),
            }),
        }
    }
}

/// The account under which notices are sent, and whether it is still to be made.
struct NotifierAccount {
    user_id: OwnedUserId,
    is_new: bool,
}

/// Whether something can be a notice.
pub(crate) fn check(id: &str, text: &str) -> Result<(), NoticeError> {
    if text.trim().is_empty() || text.len() > MAX_TEXT_BYTES {
        return Err(NoticeError::Text);
    }
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(NoticeError::Id);
    }
    Ok(())
}

/// Who was told, and not what.
fn record(account: &Account, notice: Notice<'_>, by: &By) -> Record {
    Record::new(Act::NoticeSent, by.actor.clone())
        .from(by.origin.clone())
        .on(Target::user(account.user_id.as_str()))
        .with("id", notice.id)
}

fn missed(error: RoomsError) -> Missed {
    match error {
        RoomsError::Refused(RoomsRefusal::HasNotices | RoomsRefusal::RoomExists) => {
            Missed::Overtaken
        }
        RoomsError::Elsewhere(error) => of_accounts(error),
        other => Missed::Failed(store_error(other).into()),
    }
}

fn of_accounts(error: CommitError) -> Missed {
    match error.refusal::<accounts::AccountChanges>() {
        // Another node has just made the account that sends.
        Ok(Refusal::UserInUse) => Missed::Overtaken,
        Ok(Refusal::NoSuchUser) => Missed::Failed(NoticeError::NoSuchUser),
        Ok(other) => Missed::Failed(StoreError::Refused(other.to_string()).into()),
        Err(error) => Missed::Failed(error.into_store().into()),
    }
}

/// What rooms refuse of notices is not expected here.
fn store_error(error: RoomsError) -> StoreError {
    match error {
        RoomsError::Store(error) => error,
        RoomsError::Elsewhere(error) => error.into_store(),
        RoomsError::Refused(refusal) => StoreError::Refused(refusal.to_string()),
    }
}

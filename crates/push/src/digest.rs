//! Mails about what is unread: the lane "push.mail" of the outbox.
//!
//! Whoever reads where they are gets no mail: what was said is looked at ten minutes later, as it
//! stands then. A mail tells of everything that is unread at its moment, and what it told is not told
//! again.

use std::{sync::Arc, time::Duration};

use mail::{Digest, MailId, Mailer, SendError};
use model::{language::Language, mail_address::MailAddress};
use outbox::{Delivered, Lane, Letter};
use pushers::StoredPusher;
use ruma::{OwnedServerName, api::client::push::PusherKind};
use store::{LeasedCursor, Pos, Snapshot, StoreError};

use crate::{
    metrics,
    news::{News, Reader},
    pace::{FIRST_WAIT, LONGEST_WAIT, LastMail, interval, left},
    push::Inner,
};

/// For how long a mail is tried again that no mail server takes.
const TRIED: Duration = Duration::from_secs(20 * 60 * 60);

/// How people are written to. Cheap to clone.
#[derive(Clone)]
pub struct Mailing {
    mailer: Mailer,
    server_name: OwnedServerName,
    public_url: Arc<str>,
}

impl Mailing {
    /// Puts it together; `public_url` is where people reach the server with a browser, without a
    /// slash at its end.
    pub fn new(mailer: Mailer, server_name: OwnedServerName, public_url: &str) -> Self {
        Self {
            mailer,
            server_name,
            public_url: public_url.into(),
        }
    }
}

/// The lane: each pusher is a target, by its number.
pub(crate) struct ToReaders {
    pub(crate) inner: Arc<Inner>,
    pub(crate) cursor: LeasedCursor,
}

/// A mail that is to be sent.
struct Prepared {
    pusher: i64,
    mail: mail::Mail,
    last: LastMail,
    /// Up to where mails before this one told what is unread.
    told_before: Pos,
}

/// What is to be done with letters.
enum Plan {
    /// No mail.
    Settled(Delivered),
    /// One mail for all of them; so many of the first were told of before.
    Mail(Box<Prepared>, usize),
}

impl Lane for ToReaders {
    const NAME: &'static str = "push.mail";

    /// What waits because of the mails before it is not held to have failed.
    const PATIENCE: Duration = LONGEST_WAIT.saturating_add(TRIED);

    const TOGETHER: u16 = 500;

    async fn deliver(&self, target: &str, letters: &[Letter]) -> Result<Delivered, StoreError> {
        let Some(mailing) = &self.inner.mailing else {
            return Ok(Delivered::dropped());
        };
        match self.plan(mailing, target, letters).await? {
            Plan::Settled(delivered) => Ok(delivered),
            Plan::Mail(prepared, told) => self.send(mailing, *prepared, told, letters).await,
        }
    }
}

impl ToReaders {
    async fn plan(
        &self,
        mailing: &Mailing,
        target: &str,
        letters: &[Letter],
    ) -> Result<Plan, StoreError> {
        let inner = &*self.inner;
        let _reading = inner.reading.lock().await;
        let snapshot = inner.log.database().snapshot().await?;
        let Some((pusher, to)) = self.reader_of(&snapshot, target).await? else {
            return Ok(Plan::Settled(Delivered::dropped()));
        };
        let last = LastMail::of(&snapshot, pusher.id).await?;
        let told_before = last.map_or(Pos::START, |last| last.told_up_to);
        let is_told = |letter: &&Letter| letter.pos <= told_before;
        let told = letters.iter().take_while(is_told).count();
        let (_, waiting) = letters.split_at(told);
        let now = inner.log.clock().now();
        let is_ripe = |letter: &&Letter| left(letter.queued_at, FIRST_WAIT, now).is_zero();
        let ripe = waiting.iter().take_while(is_ripe).count();
        let Some(first) = waiting.first() else {
            return Ok(Plan::Settled(Delivered::all(letters)));
        };
        let in_a_row = match last {
            Some(last) => {
                let read = inner.rooms.has_read_since(&snapshot, pusher.user, last.pos);
                if read.await? { 0 } else { last.in_a_row }
            }
            None => 0,
        };
        let pause = last.map(|last| left(last.at, interval(in_a_row), now));
        let wait = left(first.queued_at, FIRST_WAIT, now).max(pause.unwrap_or_default());
        if !wait.is_zero() {
            return Ok(Plan::Settled(Delivered::waits(told, wait)));
        }
        let reader = Reader::of(inner, &snapshot, &pusher).await?;
        let (looked_at, _) = waiting.split_at(ripe);
        let summary = match any_news(&reader, inner, &snapshot, looked_at).await? {
            true => Some(reader.summary(inner, &snapshot).await?),
            false => None,
        };
        let Some(summary) = summary.filter(|summary| !summary.rooms.is_empty()) else {
            let mut settled = Delivered::all(letters);
            settled.done = told + ripe;
            return Ok(Plan::Settled(settled));
        };
        let token = inner.pushers.stop_token(pusher.id);
        let digest = Digest {
            user_id: reader.user_id.to_string(),
            stop: format!("{}/_conclave/mail/stop?token={token}", mailing.public_url),
            rooms: summary.rooms,
            more: summary.more,
        };
        // The first letter waits until it was told of: a mail that is sent again has the same id.
        let id = MailId::new(&inner.pushers.mail_id(pusher.id, first.pos));
        let language = Language::of_tag(&pusher.pusher.lang);
        let head = snapshot.head();
        Ok(Plan::Mail(
            Box::new(Prepared {
                pusher: pusher.id,
                mail: digest.write((id, to), now, language, mailing.server_name.as_str()),
                last: LastMail {
                    at: now,
                    in_a_row: in_a_row.saturating_add(1),
                    pos: head,
                    told_up_to: head,
                },
                told_before,
            }),
            told,
        ))
    }

    /// The pusher, if it still counts, and where its owner reads mail; one that does not count
    /// goes.
    async fn reader_of(
        &self,
        snapshot: &Snapshot,
        target: &str,
    ) -> Result<Option<(StoredPusher, MailAddress)>, StoreError> {
        let inner = &self.inner;
        let Some(pusher) = inner.standing_pusher(snapshot, target).await? else {
            return Ok(None);
        };
        if !matches!(pusher.pusher.kind, PusherKind::Email(_)) {
            return Ok(None);
        }
        if let Ok(to) = MailAddress::parse(&pusher.pusher.ids.pushkey)
            && inner.accounts.has_email(pusher.user, &to).await?
        {
            return Ok(Some((pusher, to)));
        }
        inner.pushers.reject(pusher.id).await?;
        Ok(None)
    }

    async fn send(
        &self,
        mailing: &Mailing,
        prepared: Prepared,
        told: usize,
        letters: &[Letter],
    ) -> Result<Delivered, StoreError> {
        let Prepared {
            pusher,
            mail,
            last,
            told_before,
        } = prepared;
        match mailing.mailer.send(&mail).await {
            Ok(()) => {
                metrics::mail("sent");
                self.cursor.write_here(last.note(pusher)).await?;
                Ok(Delivered::all(letters))
            }
            Err(error @ SendError::Refused { .. }) => {
                metrics::mail("refused");
                let refused = LastMail {
                    told_up_to: told_before,
                    ..last
                };
                self.cursor.write_here(refused.note(pusher)).await?;
                // It was one mail, so one letter stands for it among the dead.
                let others = letters.len().saturating_sub(1);
                Ok(Delivered::given_up(others, error.to_string()))
            }
            Err(error @ SendError::Later { .. }) => {
                metrics::mail("failed");
                Ok(Delivered::put_off(told, error.to_string()))
            }
        }
    }
}

/// Whether something of what was said still notifies the reader.
async fn any_news(
    reader: &Reader,
    inner: &Inner,
    snapshot: &Snapshot,
    letters: &[Letter],
) -> Result<bool, StoreError> {
    // What is newest is read last.
    for letter in letters.iter().rev() {
        if let News::Event(_) = reader.news(inner, snapshot, letter.pos).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

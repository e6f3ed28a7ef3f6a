//! How reports take part in a batch.

use std::{collections::HashMap, convert::Infallible};

use async_trait::async_trait;
use ruma::{OwnedRoomId, OwnedUserId};
use seal::{KeySet, Keyring, Place, Scope};
use store::{
    Applier, CheckContext, ColumnType, Insert, Journal, StoreError, Tx, Value, Verdict, Writes,
};

use crate::About;

/// How many reports of one person are kept, the newest ones.
pub(crate) const KEPT_OF_EACH: i64 = 1_000;

/// A report before it has its place.
#[derive(Clone, Debug)]
pub struct NewReport {
    pub(crate) reporter: i64,
    pub(crate) about: About,
    pub(crate) reason: String,
}

/// The applier of reports.
pub struct ReportChanges {
    keyring: Keyring,
}

/// What one attempt at a batch knows of reports.
pub struct Work {
    keys: KeySet,
    users: HashMap<OwnedUserId, i64>,
    rooms: HashMap<OwnedRoomId, i64>,
    rows: Journal<ReportRow>,
}

struct ReportRow {
    id: i64,
    at: i64,
    report: NewReport,
}

static INSERT: Insert = Insert {
    table: "reports",
    columns: &[
        ("id", ColumnType::Int),
        ("reporter", ColumnType::Int),
        ("user_id", ColumnType::Int),
        ("room", ColumnType::Int),
        ("event_id", ColumnType::Text),
        ("at", ColumnType::Int),
        ("reason", ColumnType::Bytes),
    ],
    on_conflict: "",
};

const DROP_OLDEST: &str = "DELETE FROM reports WHERE reporter = $1 AND id < \
     (SELECT id FROM reports WHERE reporter = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";

impl ReportChanges {
    /// Makes the applier, to be registered with the log.
    pub fn new(keyring: Keyring) -> Self {
        Self { keyring }
    }
}

/// Where a reason is sealed.
pub(crate) fn place(id: &str) -> Place<'_> {
    Place {
        table: "reports",
        column: "reason",
        id,
    }
}

impl About {
    pub(crate) fn user(&self) -> Option<&OwnedUserId> {
        match self {
            Self::User(user) | Self::Event { sender: user, .. } => Some(user),
            Self::Room(_) => None,
        }
    }

    pub(crate) fn room(&self) -> Option<&OwnedRoomId> {
        match self {
            Self::Room(room_id) | Self::Event { room_id, .. } => Some(room_id),
            Self::User(_) => None,
        }
    }
}

#[async_trait]
impl Applier for ReportChanges {
    type Change = NewReport;
    type Outcome = ();
    type Refusal = Infallible;
    type Work = Work;

    const KIND: &'static str = "reports";

    fn size_bytes(report: &NewReport) -> usize {
        512 + report.reason.len()
    }

    async fn prepare(&self, tx: &Tx, changes: &[&NewReport]) -> Result<Work, StoreError> {
        let users: Vec<_> = changes.iter().filter_map(|new| new.about.user()).collect();
        let names: Vec<&str> = users.iter().map(|user| user.as_str()).collect();
        let user_ids = tx.intern_users(&names).await?;
        let rooms: Vec<_> = changes.iter().filter_map(|new| new.about.room()).collect();
        let names: Vec<&str> = rooms.iter().map(|room| room.as_str()).collect();
        let room_ids = tx.intern_rooms(&names).await?;
        Ok(Work {
            keys: self.keyring.keys_in(tx, [Scope::Deployment]).await?,
            users: users.into_iter().cloned().zip(user_ids).collect(),
            rooms: rooms.into_iter().cloned().zip(room_ids).collect(),
            rows: Journal::default(),
        })
    }

    fn check(
        &self,
        work: &mut Work,
        report: &NewReport,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<()>, Infallible> {
        work.rows.push(ReportRow {
            id: context.pos().get(),
            at: context.now().as_millis(),
            report: report.clone(),
        });
        Ok(Verdict::Apply(()))
    }

    fn settle(&self, work: &mut Work, keep: bool) {
        work.rows.settle(keep);
    }

    fn write(&self, work: &mut Work, writes: &mut Writes) -> Result<(), StoreError> {
        let rows = work.rows.take();
        let values = rows.iter().map(|row| values(work, row));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        writes.insert(&INSERT, values);
        for row in &rows {
            let params = vec![row.report.reporter.into(), (KEPT_OF_EACH - 1).into()];
            writes.execute(DROP_OLDEST, params);
        }
        Ok(())
    }
}

fn values(work: &Work, row: &ReportRow) -> Result<Vec<Value>, StoreError> {
    let about = &row.report.about;
    let id = row.id.to_string();
    let reason = row.report.reason.as_bytes();
    let reason = work.keys.seal(Scope::Deployment, place(&id), reason)?;
    let user = about.user().and_then(|user| work.users.get(user)).copied();
    let room = about.room().and_then(|room| work.rooms.get(room)).copied();
    let event = match about {
        About::Event { event_id, .. } => Some(event_id.to_string()),
        About::User(_) | About::Room(_) => None,
    };
    Ok(vec![
        row.id.into(),
        row.report.reporter.into(),
        user.into(),
        room.into(),
        event.into(),
        row.at.into(),
        reason.into(),
    ])
}

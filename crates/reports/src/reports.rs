//! [`Reports`]: what others ask of this crate.

use audit::{Act, Actor, AuditTrail, Origin, Record, Target};
use ruma::UserId;
use seal::Keyring;
use store::{Intent, Log, StoreError};

use crate::{About, NewReport, ReportChanges};

/// How much one may write.
const MAX_REASON_BYTES: usize = 4_096;

/// What people report. Cheap to clone.
#[derive(Clone)]
pub struct Reports {
    pub(crate) log: Log,
    pub(crate) keyring: Keyring,
}

/// Why nothing was reported.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The reason is too long.
    #[error("a reason has at most {MAX_REASON_BYTES} bytes")]
    TooLong,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reports {
    /// Puts it together over a log with which [`ReportChanges`] was registered.
    pub fn new(log: Log, keyring: Keyring) -> Self {
        Self { log, keyring }
    }

    /// Reports something, with the record of it. Of what does not exist the record alone is kept:
    /// it says that, and takes the reporter as long.
    pub async fn report(
        &self,
        (reporter, reporter_id): (i64, &UserId),
        about: About,
        exists: bool,
        reason: String,
        origin: Origin,
    ) -> Result<(), ReportError> {
        if reason.len() > MAX_REASON_BYTES {
            return Err(ReportError::TooLong);
        }
        let actor = Actor::User {
            user_id: reporter_id.to_string(),
            session: None,
        };
        let record = Record::new(Act::ReportMade, actor).from(origin);
        let record = match &about {
            About::User(user_id) => record.on(Target::user(user_id.as_str())),
            About::Room(room_id) => record.on(Target::room(room_id.as_str())),
            About::Event {
                event_id, room_id, ..
            } => {
                let record = record.on(Target::room(room_id.as_str()));
                record.with("event_id", event_id.as_str())
            }
        };
        let mut intent = Intent::new();
        let record = match exists {
            true => {
                intent.add::<ReportChanges>(NewReport {
                    reporter,
                    about,
                    reason,
                });
                record
            }
            false => record.refused("there is no such thing"),
        };
        intent.add::<AuditTrail>(record);
        let committed = self.log.commit(intent).await;
        committed.map_err(store::CommitError::into_store)?;
        Ok(())
    }
}

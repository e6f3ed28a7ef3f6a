//! The note of what a node has seen of the log, in its data directory: a node that starts again
//! notices by it that its PostgreSQL failed over to a server that had less.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use audit::{Act, Actor, Record};
use model::time::Clock;
use store::{Common, Database, EpochCause, EpochRaise, History, Log, Mark, Pos};

use crate::whole_file;

/// The name of the file in the data directory.
const FILE: &str = "history.seen";

/// How often a running node writes down what it has seen.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// Of a file that is larger, the rest is not read.
const MOST_BYTES: usize = 1024 * 1024;

/// What a node has seen, and where that is written down.
#[derive(Clone)]
pub(crate) struct HistoryNote {
    path: PathBuf,
    history: History,
}

/// What the database has lost since this node last saw it.
pub(crate) struct Loss {
    common: Pos,
    seen: Pos,
}

impl HistoryNote {
    /// The note of a node on this database; an embedded one needs none, since no other server takes
    /// over from it.
    pub(crate) fn of(database: &Database, data_dir: &Path) -> Option<Self> {
        let history = database.history()?.clone();
        let path = data_dir.join(FILE);
        Some(Self { path, history })
    }

    /// What of the last note is missing in the database.
    pub(crate) async fn compare(&self, database: &Database) -> anyhow::Result<Option<Loss>> {
        let marks = self.read()?;
        let common = database.common_with(&marks).await;
        let common = common.context("what this node has seen could not be looked up")?;
        let seen = marks.last().map_or(Pos::START, |mark| mark.pos());
        Ok(match common {
            Common::All => None,
            Common::UpTo(common) => Some(Loss { common, seen }),
        })
    }

    fn read(&self) -> anyhow::Result<Vec<Mark>> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                let path = self.path.display();
                return Err(error).with_context(|| format!("{path} cannot be read"));
            }
        };
        let text = String::from_utf8_lossy(&text[..text.len().min(MOST_BYTES)]);
        let marks: Result<Vec<Mark>, _> = text.lines().map(str::parse).collect();
        marks.with_context(|| {
            let path = self.path.display();
            format!(
                "{path} is damaged, and only by it this node would notice that its database has \
                 lost something: remove it if nothing has failed over lately"
            )
        })
    }

    fn write(&self, marks: &[Mark]) -> io::Result<()> {
        let lines: String = marks.iter().map(|mark| format!("{mark}\n")).collect();
        whole_file::replace(&self.path, lines.as_bytes())
    }

    /// Writes everything down, before this node is gone.
    pub(crate) fn keep(&self) {
        if let Err(error) = self.write(&self.history.marks()) {
            tracing::warn!(%error, "what this node has seen of the log could not be written down");
        }
    }

    /// Writes the most important part down as long as the node runs.
    pub(crate) async fn keep_up(self, clock: Arc<dyn Clock>) {
        let mut written = None;
        loop {
            let marks = self.history.some_marks();
            let newest = marks.last().copied();
            if newest != written {
                let note = self.clone();
                let writing = tokio::task::spawn_blocking(move || note.write(&marks));
                match writing.await {
                    Ok(Ok(())) => written = newest,
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "what this node has seen of the log could not be written down");
                    }
                    Err(_) => return,
                }
            }
            clock.sleep(WRITE_EVERY).await;
        }
    }

    /// Waits until the running database is found to have lost something.
    pub(crate) async fn lost(&self) {
        self.history.lost().await;
    }
}

impl Loss {
    /// Begins the epoch of what is left, unless another node has done so.
    pub(crate) async fn begin_epoch(&self, log: &Log) -> anyhow::Result<()> {
        let (common, seen) = (self.common.get(), self.seen.get());
        let record = Record::new(Act::HistoryLost, Actor::System)
            .with("common", common.to_string())
            .with("seen", seen.to_string());
        let raise = EpochRaise {
            common: self.common,
            cause: EpochCause::Failover,
        };
        let begun = copy::begin_epoch(log, raise, record).await;
        let begun = begun.context("the epoch after a failover could not be begun")?;
        tracing::error!(
            common,
            seen,
            epoch = begun.epoch,
            "the database failed over to a server that had not received everything: what was \
             committed behind position {common} is gone, and clients start again from there"
        );
        Ok(())
    }
}

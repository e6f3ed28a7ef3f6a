//! What PostgreSQL says of itself.

use super::{Examination, Looking};
use crate::{Row, StoreError, database::check_postgres};

/// How the server and the database are set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresFacts {
    /// The server's version, as it calls it.
    pub version: String,
    /// `synchronous_commit` as sessions have it that do not set it; nodes set it for themselves
    /// when this is weaker than `on`.
    pub synchronous_commit: String,
    /// `synchronous_standby_names`.
    pub standby_names: String,
    /// Whether transactions may write.
    pub is_writable: bool,
    /// Whether this user may make tables.
    pub may_make_tables: bool,
    /// How many sessions this user may have, all programs together: what is reserved for others is
    /// left out.
    pub sessions: i64,
    /// How many sessions other programs have.
    pub sessions_of_others: i64,
}

/// A server that streams from this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standby {
    /// What it calls itself.
    pub name: String,
    /// `async`, `potential`, `sync` or `quorum`; nothing when this user may not know.
    pub sync_state: Option<String>,
}

const READ: &str = "SELECT current_setting('server_version'), \
     (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'), \
     current_setting('synchronous_standby_names'), \
     current_setting('transaction_read_only'), \
     has_schema_privilege(current_schema(), 'CREATE')";

/// `reserved_connections` is of version 16. What others' sessions are, not every user may know.
const READ_SESSIONS: &str = "SELECT \
     CAST(current_setting('max_connections') AS BIGINT) \
     - CAST(current_setting('superuser_reserved_connections') AS BIGINT) \
     - CAST(COALESCE(current_setting('reserved_connections', true), '0') AS BIGINT), \
     (SELECT CAST(rolconnlimit AS BIGINT) FROM pg_roles WHERE rolname = current_user), \
     (SELECT CAST(datconnlimit AS BIGINT) FROM pg_database WHERE datname = current_database()), \
     (SELECT COUNT(*) FROM pg_stat_activity \
      WHERE datname IS NOT NULL AND application_name <> 'conclave' \
      AND COALESCE(backend_type, 'client backend') = 'client backend')";

const READ_STANDBYS: &str = "SELECT COALESCE(application_name, ''), sync_state \
     FROM pg_stat_replication ORDER BY application_name";

impl Examination {
    /// How PostgreSQL is set up; `None` for a file.
    ///
    /// # Errors
    ///
    /// What a start would say when it would refuse this server: too old, `fsync = off`, another
    /// encoding.
    pub async fn postgres(&self) -> Result<Option<PostgresFacts>, StoreError> {
        let Looking::Postgres(session) = &self.0 else {
            return Ok(None);
        };
        check_postgres(session).await?;
        let facts = only(self.query(READ, &[]).await?)?;
        let sessions = only(self.query(READ_SESSIONS, &[]).await?)?;
        // -1 stands for no limit.
        let limits = [sessions.opt_int(1)?, sessions.opt_int(2)?];
        let limits = limits.into_iter().flatten().filter(|limit| *limit >= 0);
        let may = |index| Ok::<_, StoreError>(facts.opt_int(index)? == Some(1));
        Ok(Some(PostgresFacts {
            version: facts.text(0)?.to_owned(),
            synchronous_commit: facts.text(1)?.to_owned(),
            standby_names: facts.text(2)?.to_owned(),
            is_writable: facts.text(3)? == "off",
            may_make_tables: may(4)?,
            sessions: limits.fold(sessions.int(0)?, i64::min),
            sessions_of_others: sessions.int(3)?,
        }))
    }

    /// The servers that stream from this one; none for a file.
    pub async fn standbys(&self) -> Result<Vec<Standby>, StoreError> {
        let Looking::Postgres(_) = &self.0 else {
            return Ok(Vec::new());
        };
        let rows = self.query(READ_STANDBYS, &[]).await?;
        let standbys = rows.iter().map(|row| {
            Ok(Standby {
                name: row.text(0)?.to_owned(),
                sync_state: row.opt_text(1)?.map(str::to_owned),
            })
        });
        standbys.collect()
    }
}

fn only(rows: Vec<Row>) -> Result<Row, StoreError> {
    rows.into_iter()
        .next()
        .ok_or_else(|| StoreError::Unavailable("PostgreSQL tells nothing of itself".to_owned()))
}

//! PostgreSQL: its hosts, how it is set up, how far away it is, and how many nodes it holds.

use std::time::Duration;

use store::{Examination, HostFound, HostState, PostgresFacts};

use super::{ANSWER_WITHIN, Findings, Scene, database::failed, shown, standbys};
use crate::storage::{self, SESSIONS};

const HOST: &str = "database host";
const SETTINGS: &str = "database settings";
const ROUND_TRIP: &str = "database round trip";
const NODES: &str = "database sessions";
const WRITING: &str = "database writes";

/// A batch pays three of these.
const FAR: Duration = Duration::from_millis(10);

/// Says of each of several hosts what it is: of a single one, connecting tells as much.
pub(super) async fn hosts(scene: &Scene<'_>, findings: &mut Findings) {
    let options = storage::options(&scene.loaded.config);
    // What is wrong with the URL, or with a single host, opening says.
    let Ok(2..) = HostFound::names(&options).map(|names| names.len()) else {
        return;
    };
    let Ok(hosts) = HostFound::all(&options, ANSWER_WITHIN).await else {
        return;
    };
    let is_primary = |found: &&HostFound| matches!(found.state, HostState::Primary);
    let primaries = hosts.iter().filter(is_primary).count();
    for HostFound { host, state } in &hosts {
        match state {
            HostState::Primary if primaries > 1 => findings.wrong(
                HOST,
                format_args!(
                    "{host} takes writes, and it is not the only one: what one of them is told the \
                     others do not have. Turn off all but the one that was promoted last"
                ),
            ),
            HostState::Primary => findings.ok(HOST, format_args!("{host} takes writes")),
            HostState::Standby => findings.ok(HOST, format_args!("{host} is a standby")),
            HostState::Failed(error) => {
                let says = format_args!(
                    "{host} does not answer, or lets nobody in ({}): bring it back, or take it out \
                     of database.url",
                    storage::chain(error)
                );
                findings.warning(HOST, says);
            }
        }
    }
    if primaries == 0 {
        let says = "no host of database.url takes writes: promote a standby (pg_ctl promote), and \
             make sure that the old primary stays off";
        findings.wrong(HOST, says);
    }
}

/// Looks at the primary.
pub(super) async fn examine(examination: &Examination, scene: &Scene<'_>, findings: &mut Findings) {
    match examination.postgres().await {
        Ok(Some(facts)) => {
            settings(&facts, findings);
            writing(&facts, findings);
            nodes(&facts, findings);
            standbys::examine(examination, &facts.standby_names, scene, findings).await;
        }
        Ok(None) => {}
        Err(error) => failed(SETTINGS, &error, scene, findings),
    }
    match examination.round_trip(&*scene.surroundings.clock).await {
        Ok(time) if time > FAR => findings.warning(
            ROUND_TRIP,
            format_args!(
                "it takes {} (the middle one of several), and every change pays three: bring the \
                 nodes nearer to the primary",
                shown(time)
            ),
        ),
        Ok(time) => findings.ok(
            ROUND_TRIP,
            format_args!("it takes {} (the middle one of several)", shown(time)),
        ),
        Err(error) => failed(ROUND_TRIP, &error, scene, findings),
    }
}

fn settings(facts: &PostgresFacts, findings: &mut Findings) {
    let PostgresFacts {
        version,
        synchronous_commit,
        ..
    } = facts;
    let remark = match synchronous_commit.as_str() {
        "off" | "local" => ", which nodes set to on for themselves",
        _ => "",
    };
    findings.ok(
        SETTINGS,
        format_args!(
            "PostgreSQL {version}, UTF8, fsync = on, synchronous_commit = \
             {synchronous_commit}{remark}"
        ),
    );
}

fn writing(facts: &PostgresFacts, findings: &mut Findings) {
    if !facts.is_writable {
        let says = "transactions are read-only: look for default_transaction_read_only in the \
             server, the database and the role";
        findings.wrong(WRITING, says);
    } else if facts.may_make_tables {
        findings.ok(WRITING, "they are possible, and tables may be made");
    } else {
        let says = "this user may make no tables, so the next version cannot be started: make the \
             database theirs (ALTER DATABASE … OWNER TO …), or GRANT CREATE ON SCHEMA public";
        findings.wrong(WRITING, says);
    }
}

fn nodes(facts: &PostgresFacts, findings: &mut Findings) {
    let free = facts.sessions.saturating_sub(facts.sessions_of_others);
    let sessions = i64::try_from(SESSIONS).unwrap_or(i64::MAX);
    let fit = free.max(0) / sessions;
    let says = format!("{free} are free for nodes, which hold {SESSIONS} each at most");
    match fit {
        0 => findings.wrong(
            NODES,
            format_args!("{says}; none fits: raise max_connections, or the limit of this user"),
        ),
        1 => findings.warning(
            NODES,
            format_args!("{says}; one fits: raise max_connections before there is another"),
        ),
        _ => findings.ok(NODES, format_args!("{says}; {fit} nodes fit")),
    }
}

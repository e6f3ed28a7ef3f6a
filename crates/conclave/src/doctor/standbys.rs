//! The servers that stream from the primary: what a failover would lose, and whether writes wait.

use store::{Examination, Standby};

use super::{Findings, Scene, Verdict, database::failed};

const CHECK: &str = "database standbys";

/// Looks at who streams, and at who should.
pub(super) async fn examine(
    examination: &Examination,
    names: &str,
    scene: &Scene<'_>,
    findings: &mut Findings,
) {
    match examination.standbys().await {
        Ok(standbys) => {
            let (verdict, says) = judge(names, &standbys);
            findings.add(verdict, CHECK, says);
        }
        Err(error) => failed(CHECK, &error, scene, findings),
    }
}

/// What `synchronous_standby_names` and those who stream mean together.
fn judge(names: &str, standbys: &[Standby]) -> (Verdict, String) {
    let listed = standbys.iter().map(|standby| {
        let state = standby.sync_state.as_deref().unwrap_or("unknown");
        format!("{} ({state})", standby.name)
    });
    let listed = listed.collect::<Vec<_>>().join(", ");
    match (names.is_empty(), standbys.is_empty()) {
        (true, true) => (
            Verdict::Ok,
            "there is none: what is lost with the disk of this server is lost".to_owned(),
        ),
        (true, false) => (
            Verdict::Warning,
            format!(
                "none of {listed} is synchronous, so a failover loses what people were told that \
                 it stands: name one in synchronous_standby_names"
            ),
        ),
        (false, true) => (
            Verdict::Wrong,
            format!(
                "writes wait for one of synchronous_standby_names = {names}, and none streams: \
                 bring it back, or empty that setting and reload"
            ),
        ),
        (false, false) => judge_synchronous(names, standbys, listed),
    }
}

fn judge_synchronous(names: &str, standbys: &[Standby], listed: String) -> (Verdict, String) {
    let mut states = standbys.iter().map(|standby| standby.sync_state.as_deref());
    if states
        .clone()
        .any(|state| matches!(state, Some("sync" | "quorum")))
    {
        return (Verdict::Ok, listed);
    }
    if states.any(|state| state.is_none()) {
        let says = format!(
            "this user may not see whether one is synchronous (GRANT pg_monitor TO it); \
             synchronous_standby_names = {names}"
        );
        return (Verdict::Ok, says);
    }
    let says = format!(
        "writes wait for one of synchronous_standby_names = {names}, and only {listed} stream: \
         name one of them, or bring the other back"
    );
    (Verdict::Wrong, says)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standby(name: &str, state: Option<&str>) -> Standby {
        Standby {
            name: name.to_owned(),
            sync_state: state.map(str::to_owned),
        }
    }

    #[test]
    fn a_failover_that_loses_something_and_writes_that_wait_are_told() {
        let one = |state| vec![standby("db2", Some(state))];
        for (names, standbys, verdict, part) in [
            ("", vec![], Verdict::Ok, "there is none"),
            ("", one("async"), Verdict::Warning, "none of db2 (async) is"),
            ("FIRST 1 (db2)", vec![], Verdict::Wrong, "none streams"),
            ("FIRST 1 (db2)", one("sync"), Verdict::Ok, "db2 (sync)"),
            ("ANY 1 (db2)", one("quorum"), Verdict::Ok, "db2 (quorum)"),
            (
                "FIRST 1 (db3)",
                one("async"),
                Verdict::Wrong,
                "only db2 (async)",
            ),
            ("*", vec![standby("", None)], Verdict::Ok, "pg_monitor"),
        ] {
            let (found, says) = judge(names, &standbys);
            assert_eq!(found, verdict, "{says}");
            assert!(says.contains(part), "{says}");
        }
    }
}

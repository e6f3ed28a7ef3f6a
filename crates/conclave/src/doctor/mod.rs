//! Looking at everything that a server needs, and saying in words what is wrong with it.
//!
//! Each file looks at one thing, and goes on when another is broken. Nothing is changed: what has to
//! be written to be tried (an object, a file) has a name of its own and is removed again. What it
//! takes to know an engine is in the engine's crate (`store::Examination` and its kind).

mod bus;
mod certificates;
mod clock;
mod configuration;
mod data_directory;
mod database;
mod disk;
mod embedded;
mod files;
mod finding;
mod keys;
mod mail;
mod names;
mod open_files;
mod postgres;
mod public_url;
mod standbys;

use std::{pin::Pin, time::Duration};

use config::{Loaded, Sources};
use futures_util::{StreamExt, stream::FuturesOrdered};

pub(crate) use self::finding::{Finding, Findings, Verdict};
use crate::Surroundings;

/// How long one group of checks may take: all of them run at the same time.
const WITHIN: Duration = Duration::from_secs(25);

/// How long one question may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Checks of one thing.
type Group<'a> = Pin<Box<dyn Future<Output = Findings> + 'a>>;

/// What all checks are told.
struct Scene<'a> {
    loaded: &'a Loaded,
    surroundings: &'a Surroundings,
    /// Whether a server runs on this data directory.
    is_running: bool,
    /// Whether to read all of an embedded database.
    is_thorough: bool,
}

/// Reads the configuration as a start would, and checks all that it names; tells each finding as
/// soon as those before it are known.
pub(crate) async fn examine(
    sources: Sources,
    surroundings: &Surroundings,
    is_thorough: bool,
    mut tell: impl FnMut(&Finding),
) -> Findings {
    let mut all = Findings::default();
    let loaded = configuration::examine(sources, &mut all);
    let Some(loaded) = loaded else {
        all.iter().for_each(tell);
        return all;
    };
    let is_running = data_directory::examine(&loaded.config, &mut all).await;
    all.iter().for_each(&mut tell);
    let scene = Scene {
        loaded: &loaded,
        surroundings,
        is_running,
        is_thorough,
    };
    let mut groups: FuturesOrdered<Group<'_>> = FuturesOrdered::new();
    groups.push_back(Box::pin(database::examine(&scene)));
    groups.push_back(Box::pin(bus::examine(&scene)));
    groups.push_back(Box::pin(files::examine(&scene)));
    groups.push_back(Box::pin(names::examine(&scene)));
    groups.push_back(Box::pin(public_url::examine(&scene)));
    groups.push_back(Box::pin(mail::examine(&scene)));
    while let Some(found) = groups.next().await {
        found.iter().for_each(&mut tell);
        all.append(found);
    }
    all
}

/// Lets a group of checks go on for so long; what it has found by then stays.
async fn limited(
    check: &'static str,
    findings: &mut Findings,
    checks: impl AsyncFnOnce(&mut Findings),
) {
    if tokio::time::timeout(WITHIN, checks(findings))
        .await
        .is_err()
    {
        let seconds = WITHIN.as_secs();
        findings.wrong(check, format_args!("it took longer than {seconds} seconds"));
    }
}

/// A span of time as people read it.
fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1_000.0),
        seconds => format!("{seconds:.1} s"),
    }
}

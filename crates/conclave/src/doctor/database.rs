//! The database: whether it can be reached and is this deployment's. What only one of the engines has
//! is beside this.

use config::DatabaseUrl;
use store::{Deployment, Examination, StoreError};
use tokio::time::timeout;

use super::{ANSWER_WITHIN, Findings, Scene, clock, embedded, keys, limited, postgres};
use crate::{moved_note::MovedNote, storage};

pub(super) const CHECK: &str = "database";
const DEPLOYMENT: &str = "deployment";

/// Looks at the database, and at what it takes to read it.
pub(super) async fn examine(scene: &Scene<'_>) -> Findings {
    let mut findings = Findings::default();
    limited(CHECK, &mut findings, async |findings: &mut Findings| {
        checks(scene, findings).await;
    })
    .await;
    // It takes as long as the file is large.
    if let DatabaseUrl::Sqlite(path) = &scene.loaded.config.database.url {
        embedded::pages(path, scene.is_thorough, &mut findings).await;
    }
    findings
}

async fn checks(scene: &Scene<'_>, findings: &mut Findings) {
    let config = &scene.loaded.config;
    if let Err(error) = MovedNote::refuse(&storage::location(config)) {
        findings.wrong(DEPLOYMENT, format_args!("{error:#}"));
    }
    match &config.database.url {
        DatabaseUrl::Sqlite(path) => embedded::file(path, findings),
        DatabaseUrl::Postgres(_) => postgres::hosts(scene, findings).await,
    }
    let opened = opened(scene, findings).await;
    if let Some(Some(examination)) = &opened {
        if let DatabaseUrl::Postgres(_) = &config.database.url {
            postgres::examine(examination, scene, findings).await;
        }
        deployment(examination, scene, findings).await;
        clock::examine(examination, scene, findings).await;
    }
    keys::examine(opened.as_ref(), scene, findings).await;
}

/// The database; the inner `None` when there is no file yet, the outer when it cannot be opened.
async fn opened(scene: &Scene<'_>, findings: &mut Findings) -> Option<Option<Examination>> {
    let options = storage::options(&scene.loaded.config);
    let shown = storage::shown(scene.loaded);
    match timeout(ANSWER_WITHIN, Examination::open(&options)).await {
        Ok(Ok(opened)) => {
            let says = match &opened {
                Some(_) => format!("{shown} can be opened"),
                None => format!("there is none at {shown} yet: the first start makes it"),
            };
            findings.ok(CHECK, says);
            Some(opened)
        }
        Ok(Err(error)) => {
            failed(CHECK, &error, scene, findings);
            None
        }
        Err(_) => {
            let seconds = ANSWER_WITHIN.as_secs();
            let says = format!("no answer within {seconds} seconds");
            failed(CHECK, &StoreError::Unavailable(says), scene, findings);
            None
        }
    }
}

async fn deployment(examination: &Examination, scene: &Scene<'_>, findings: &mut Findings) {
    let config = &scene.loaded.config;
    let name = &config.server.name;
    match examination.deployment(&storage::options(config)).await {
        Ok(Deployment::Absent) => findings.ok(
            DEPLOYMENT,
            format_args!("there is none yet: the first start makes that of {name}"),
        ),
        Ok(Deployment::Current) => findings.ok(
            DEPLOYMENT,
            format_args!("it is that of {name}, with the tables that this program knows"),
        ),
        Ok(Deployment::Older { missing }) => findings.warning(
            DEPLOYMENT,
            format_args!(
                "it is that of {name}, and its tables are older than this program by {missing} \
                 steps: the next start brings them up to date, and from then on the program of \
                 the version before does not start any more"
            ),
        ),
        Err(error) => failed(DEPLOYMENT, &error, scene, findings),
    }
}

/// Says what a start would say.
pub(super) fn failed(
    check: &'static str,
    error: &StoreError,
    scene: &Scene<'_>,
    findings: &mut Findings,
) {
    let explained = storage::explain_store(error, scene.loaded);
    findings.wrong(check, format_args!("{explained:#}"));
}

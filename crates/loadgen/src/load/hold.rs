//! Long polls that nothing wakes.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use hyper::Method;
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{Server, run_name};
use crate::{
    arguments::Hold,
    matrix::{Client, escaped, text},
    moment,
    report::{count, mib},
    stage,
};

/// How long the polls are held: longer than it takes to open them all.
const HELD: Duration = Duration::from_secs(90);

/// What a server may still have to do after the last poll was opened.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

pub(super) async fn run(servers: &mut [Server], load: &Hold) -> Result<()> {
    let run = run_name()?;
    for server in servers {
        let people = stage::people(server.nodes.first(), &run, load.people).await?;
        let processes = server
            .processes
            .as_ref()
            .context("memory is measured of a process: give --pid and --against-pid")?;
        moment::pause(SETTLED_AFTER).await;
        let before = processes.resident_bytes()?;
        let held = Arc::new(Semaphore::new(0));
        let mut polls = JoinSet::new();
        for index in 0..load.connections {
            let (url, held) = (server.nodes.first().clone(), Arc::clone(&held));
            let person = people[index % people.len()].clone();
            let mut client = Client::new(&url, &person).await?;
            let path = "/_matrix/client/v3/sync?timeout=0";
            let first = client.ask(Method::GET, path, &Value::Null).await?;
            let since = escaped(&text(&first, "next_batch")?);
            polls.spawn(async move {
                let timeout_ms = HELD.as_millis();
                let path = format!("/_matrix/client/v3/sync?since={since}&timeout={timeout_ms}");
                held.add_permits(1);
                client.ask(Method::GET, &path, &Value::Null).await.map(drop)
            });
        }
        let wanted = u32::try_from(load.connections)?;
        held.acquire_many(wanted).await?.forget();
        moment::pause(SETTLED_AFTER).await;
        if let Some(ended) = polls.try_join_next() {
            ended??;
            bail!("a poll that nothing wakes was answered");
        }
        let grown = processes.resident_bytes()?.saturating_sub(before);
        let each = mib(grown) * 1024.0 / count(load.connections);
        server.figures.add("memory per held poll, KiB", each);
        server.figures.add("resident before, MiB", mib(before));
        polls.abort_all();
        while polls.join_next().await.is_some() {}
    }
    Ok(())
}

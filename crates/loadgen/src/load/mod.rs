//! The loads: each gives every server its turn, round by round.

mod account;
mod fan_out;
mod files;
mod history;
mod hold;
mod initial;
mod joins;
mod large_room;
mod memory;
mod send;

use std::time::Duration;

use anyhow::{Result, ensure};
use url::Url;

use crate::{
    arguments::{Arguments, Load},
    faults::Faults,
    moment,
    nodes::Nodes,
    process::Processes,
    report::{Figures, Measured, Report},
};

/// How long a server whose process is not known may still be at work with what came before.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// One of the servers, and what was measured of it so far.
pub(crate) struct Server {
    pub(crate) nodes: Nodes,
    pub(crate) processes: Option<Processes>,
    pub(crate) figures: Figures,
    pub(crate) faults: Faults,
}

impl Server {
    fn new(urls: &[Url], pids: &[u32]) -> Result<Self> {
        Ok(Self {
            nodes: Nodes::new(urls)?,
            processes: Processes::new(pids.to_vec()),
            figures: Figures::default(),
            faults: Faults::default(),
        })
    }

    /// CPU time so far, if the process is known.
    fn cpu_time(&self) -> Result<Option<Duration>> {
        self.processes.as_ref().map(Processes::cpu_time).transpose()
    }

    /// Waits until the server has nothing left to do.
    async fn settle(&self) -> Result<()> {
        match &self.processes {
            Some(processes) => processes.settle().await,
            None => {
                moment::pause(SETTLED_AFTER).await;
                Ok(())
            }
        }
    }
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Report> {
    let asked = &arguments.servers;
    let mut servers = vec![Server::new(&asked.urls, &asked.pids)?];
    if !asked.against.is_empty() {
        servers.push(Server::new(&asked.against, &asked.against_pids)?);
    }
    ensure!(
        arguments.load.is_spread() || servers.iter().all(|server| server.nodes.is_alone()),
        "this load is not spread over nodes: give one --url, and one --against"
    );
    put_on(&mut servers, &arguments.load, asked.rounds).await?;
    let measured = servers.into_iter().map(|server| Measured {
        url: server.nodes.to_string(),
        figures: server.figures,
        faults: server.faults,
    });
    Ok(Report {
        servers: measured.collect(),
        json: asked.json.clone(),
    })
}

async fn put_on(servers: &mut [Server], load: &Load, rounds: u32) -> Result<()> {
    match load {
        Load::Send(load) => send::run(servers, load, rounds).await,
        Load::Hold(load) => hold::run(servers, load).await,
        Load::Files(load) => files::run(servers, load, rounds).await,
        Load::Initial(load) => initial::run(servers, load, rounds).await,
        Load::Account(load) => account::run(servers, load, rounds).await,
        Load::FanOut(load) => fan_out::run(servers, load, rounds).await,
        Load::Joins(load) => joins::run(servers, load, rounds).await,
        Load::History(load) => history::run(servers, load, rounds).await,
        Load::LargeRoom(load) => large_room::run(servers, load, rounds).await,
        Load::Memory(load) => memory::run(servers, load).await,
    }
}

/// The first size for the first server, and the other for the one that it is compared with.
fn sizes(first: usize, against: Option<usize>) -> impl Iterator<Item = usize> {
    std::iter::once(first).chain(std::iter::repeat(against.unwrap_or(first)))
}

/// A name that no earlier run has used.
pub(crate) fn run_name() -> Result<String> {
    let since = std::fs::read_to_string("/proc/uptime")?;
    let hundredths = since.split_whitespace().next().unwrap_or_default();
    Ok(format!(
        "{}-{}",
        std::process::id(),
        hundredths.replace('.', "")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_server_has_the_first_ones_size_unless_told() {
        let both = |against| sizes(5, against).take(2).collect::<Vec<_>>();
        assert_eq!(both(None), [5, 5]);
        assert_eq!(both(Some(2)), [5, 2]);
    }
}

//! The loads: each gives every server its turn, round by round.

mod files;
mod hold;
mod send;

use anyhow::Result;
use url::Url;

use crate::{
    arguments::{Arguments, Load},
    process::Process,
    report::{Faults, Figures, Measured, Report},
};

/// One of the servers, and what was measured of it so far.
pub(crate) struct Server {
    pub(crate) url: Url,
    pub(crate) process: Option<Process>,
    pub(crate) figures: Figures,
    pub(crate) faults: Faults,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Report> {
    let asked = &arguments.servers;
    let first = Some((&asked.url, asked.pid));
    let second = asked.against.as_ref().map(|url| (url, asked.against_pid));
    let mut servers: Vec<Server> = first
        .into_iter()
        .chain(second)
        .map(|(url, pid)| Server {
            url: url.clone(),
            process: pid.map(Process::new),
            figures: Figures::default(),
            faults: Faults::default(),
        })
        .collect();
    match &arguments.load {
        Load::Send(load) => send::run(&mut servers, load, asked.rounds).await?,
        Load::Hold(load) => hold::run(&mut servers, load).await?,
        Load::Files(load) => files::run(&mut servers, load, asked.rounds).await?,
    }
    let measured = servers.into_iter().map(|server| Measured {
        url: server.url.to_string(),
        figures: server.figures,
        faults: server.faults,
    });
    Ok(Report {
        servers: measured.collect(),
        json: asked.json.clone(),
    })
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

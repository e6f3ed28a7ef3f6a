//! What a server's processes have used, from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

use crate::moment;

/// Processes on this machine that are one server.
#[derive(Clone, Debug)]
pub(crate) struct Processes {
    pids: Vec<u32>,
}

/// CPU time from a moment on.
pub(crate) struct Meter<'a> {
    processes: &'a Processes,
    before: Duration,
}

/// `USER_HZ`: what `/proc` counts CPU time in, on every Linux there is.
const TICKS_PER_SECOND: u64 = 100;

/// How long processes are watched that may have nothing left to do.
const WATCHED: Duration = Duration::from_millis(200);

/// What a process without work may use in that time.
const IDLE: Duration = Duration::from_millis(10);

/// How often they are watched at most.
const WATCHES: u32 = 150;

impl Processes {
    /// None when no process is known.
    pub(crate) fn new(pids: Vec<u32>) -> Option<Self> {
        (!pids.is_empty()).then_some(Self { pids })
    }

    /// Both together.
    pub(crate) fn and(mut self, others: &Self) -> Self {
        self.pids.extend(&others.pids);
        self
    }

    /// CPU time of all threads and all children, in user and kernel mode.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        let ticks = self.pids.iter().map(|pid| ticks(*pid));
        let ticks: u64 = ticks.sum::<Result<_>>()?;
        Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
    }

    /// Measures CPU time from now on.
    pub(crate) fn meter(&self) -> Result<Meter<'_>> {
        Ok(Meter {
            processes: self,
            before: self.cpu_time()?,
        })
    }

    /// Waits until the processes have nothing left to do, or have had time enough for it.
    pub(crate) async fn settle(&self) -> Result<()> {
        let idle = IDLE * u32::try_from(self.pids.len())?;
        for _ in 0..WATCHES {
            let meter = self.meter()?;
            moment::pause(WATCHED).await;
            if meter.used()? <= idle {
                break;
            }
        }
        Ok(())
    }

    /// Resident memory, without that of children.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        self.pids.iter().map(|pid| resident_bytes(*pid)).sum()
    }
}

impl Meter<'_> {
    pub(crate) fn used(&self) -> Result<Duration> {
        // What a child used that ends while it is read can be missing once.
        Ok(self.processes.cpu_time()?.saturating_sub(self.before))
    }
}

/// What a process and its children have used, be they at work or gone.
fn ticks(pid: u32) -> Result<u64> {
    let own = ticks_told(&fs::read_to_string(format!("/proc/{pid}/stat"))?)?;
    let mut all = own;
    // The children of a process are those of its threads.
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may have ended, and so may a child: what that used is its parent's then.
        let children = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            all += ticks(child.parse()?).unwrap_or_default();
        }
    }
    Ok(all)
}

/// The CPU time in a `/proc/PID/stat`: the process's own, and that of its children that are gone.
fn ticks_told(stat: &str) -> Result<u64> {
    // The name may hold blanks; behind it they separate fields.
    let (_, fields) = stat.rsplit_once(')').context("an odd /proc/PID/stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let times = fields.get(11..15).context("a short /proc/PID/stat")?;
    times.iter().map(|ticks| Ok(ticks.parse::<u64>()?)).sum()
}

fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.context("no VmRSS")?.parse::<u64>()? * 1024)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader},
        process::{Command, Stdio},
    };

    use super::*;

    /// Works for a while in a child of the shell, says so, and waits for the end of its input.
    const BUSY_CHILD: &str =
        "(i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; echo done; read _); :";

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 2 3 4 10 20 300 4000 20 0 1 0";
        assert_eq!(ticks_told(stat).unwrap(), 4_330);
        assert!(ticks_told("7 (a) S 1 7").is_err());
        assert!(ticks_told("7 a S").is_err());
    }

    #[test]
    fn what_a_child_uses_counts_while_it_lives_and_when_it_is_gone() {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", BUSY_CHILD])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let processes = Processes::new(vec![shell.id()]).unwrap();
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let living = processes.cpu_time().unwrap();
        assert!(living >= IDLE * 2, "{living:?}");
        drop(shell.stdin.take());
        // The output ends when the child and the shell have; nobody has waited for the shell yet.
        output.read_line(&mut line).unwrap();
        assert!(processes.cpu_time().unwrap() >= living);
        shell.wait().unwrap();
        assert!(processes.cpu_time().is_err());
    }

    #[test]
    fn several_processes_count_together() {
        assert!(Processes::new(Vec::new()).is_none());
        let own = Processes::new(vec![std::process::id()]).unwrap();
        let one = own.resident_bytes().unwrap();
        let twice = own.clone().and(&own).resident_bytes().unwrap();
        assert!(twice > one, "{one} {twice}");
    }
}

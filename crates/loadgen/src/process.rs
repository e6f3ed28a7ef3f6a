//! What a server's process has used, from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

use crate::moment;

/// A process on this machine, with all of its children.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pid: u32,
}

/// `USER_HZ`: what `/proc` counts CPU time in, on every Linux there is.
const TICKS_PER_SECOND: u64 = 100;

/// How long a process is watched that may have nothing left to do.
const WATCHED: Duration = Duration::from_millis(200);

/// What a process without work may use in that time.
const IDLE: Duration = Duration::from_millis(10);

/// How often it is watched at most.
const WATCHES: u32 = 150;

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// CPU time of all threads, in user and kernel mode.
    pub(crate) fn cpu_time(self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        // The name may hold blanks; behind it they separate fields.
        let (_, fields) = stat.rsplit_once(')').context("an odd /proc/PID/stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
    }

    /// Waits until the process has nothing left to do, or has had time enough for it.
    pub(crate) async fn settle(self) -> Result<()> {
        for _ in 0..WATCHES {
            let before = self.cpu_time()?;
            moment::pause(WATCHED).await;
            if self.cpu_time()?.saturating_sub(before) <= IDLE {
                break;
            }
        }
        Ok(())
    }

    /// Resident memory.
    pub(crate) fn resident_bytes(self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(kib.context("no VmRSS")?.parse::<u64>()? * 1024)
    }
}

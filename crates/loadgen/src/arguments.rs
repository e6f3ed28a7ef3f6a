//! What is asked on the command line.

mod loads;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use url::Url;

pub(crate) use self::loads::{Account, FanOut, History, Initial, Joins, LargeRoom, Memory};

#[derive(Parser)]
#[command(
    name = "loadgen",
    about = "Puts load on a Matrix server, or on two in turn, and measures"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) servers: Servers,
    #[command(subcommand)]
    pub(crate) load: Load,
}

/// Whom to measure. Registration must be open on both, and rate limits off.
#[derive(Args)]
pub(crate) struct Servers {
    /// The server's base URL, such as `http://127.0.0.1:8008`; given several times, those of the
    /// nodes of one deployment.
    #[arg(long = "url", required = true)]
    pub(crate) urls: Vec<Url>,
    /// Its process, for CPU time and memory; given several times, all of them together.
    #[arg(long = "pid")]
    pub(crate) pids: Vec<u32>,
    /// Another server's base URL, or its nodes': both are measured in turn, never at once.
    #[arg(long)]
    pub(crate) against: Vec<Url>,
    /// The other server's process, or processes.
    #[arg(long = "against-pid")]
    pub(crate) against_pids: Vec<u32>,
    /// How often each server has its turn.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: u32,
    /// Where the figures go as JSON, beside the table.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Load {
    /// Sends messages without pause, and reads them back.
    Send(Send),
    /// Holds long polls, and measures what one costs in memory.
    Hold(Hold),
    /// Uploads and downloads files.
    Files(Files),
    /// Syncs for the first time: everything that a person's rooms show.
    Initial(Initial),
    /// Syncs of somebody who is in many rooms: what is new in one of them, and a window onto all.
    Account(Account),
    /// Sends to a room where everybody waits for it.
    FanOut(FanOut),
    /// Lets people join one room.
    Joins(Joins),
    /// Reads a long room from its end to its beginning.
    History(History),
    /// Sends to, and syncs, a room with very many members, beside one with few.
    LargeRoom(LargeRoom),
    /// Measures the memory of a server with many people in many rooms, some of whom sync.
    Memory(Memory),
}

impl Load {
    /// Whether its connections are spread over the nodes of a deployment.
    pub(crate) fn is_spread(&self) -> bool {
        matches!(self, Self::Send(_) | Self::FanOut(_))
    }
}

#[derive(Args, Clone)]
pub(crate) struct Send {
    /// How many rooms.
    #[arg(long, default_value_t = 20)]
    pub(crate) rooms: usize,
    /// How many members each has.
    #[arg(long, default_value_t = 8)]
    pub(crate) members: usize,
    /// How many connections send at once.
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// How long one turn takes.
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// Ends a turn after so many messages, whatever time that takes.
    #[arg(long)]
    pub(crate) messages: Option<usize>,
    /// How long a message is.
    #[arg(long, default_value_t = 200)]
    pub(crate) body_bytes: usize,
    /// Mixes in receipts, typing and messages to devices: one of each for four messages.
    #[arg(long)]
    pub(crate) mixed: bool,
    /// The process of the database server that the servers share, for its CPU time and that of
    /// its children.
    #[arg(long)]
    pub(crate) database_pid: Option<u32>,
}

#[derive(Args, Clone)]
pub(crate) struct Hold {
    /// How many long polls are held.
    #[arg(long, default_value_t = 2_000)]
    pub(crate) connections: usize,
    /// How many people they belong to.
    #[arg(long, default_value_t = 50)]
    pub(crate) people: usize,
}

#[derive(Args, Clone)]
pub(crate) struct Files {
    /// How large a file is, in MiB.
    #[arg(long, default_value_t = 64)]
    pub(crate) size_mib: usize,
    /// How many files go up and down in one turn.
    #[arg(long, default_value_t = 4)]
    pub(crate) count: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(["loadgen"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn a_side_has_one_address_or_one_for_each_node() {
        let line = "--url http://a --pid 1 --url http://b --pid 2 --against http://c send";
        let servers = parse(line).unwrap().servers;
        assert_eq!((servers.urls.len(), servers.against.len()), (2, 1));
        assert_eq!((servers.pids, servers.against_pids), (vec![1, 2], vec![]));
        assert!(parse("send").is_err());
        assert!(parse("--against http://c send").is_err());
    }

    #[test]
    fn sending_and_fan_out_are_spread_over_nodes() {
        let spread = |load| parse(&format!("--url http://a {load}")).unwrap().load;
        assert!(spread("send --database-pid 7").is_spread());
        assert!(spread("fan-out").is_spread());
        assert!(!spread("hold").is_spread());
    }
}

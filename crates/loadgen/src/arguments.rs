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
    /// The server's base URL, such as `http://127.0.0.1:8008`.
    #[arg(long)]
    pub(crate) url: Url,
    /// Its process, for CPU time and memory.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// Another server's base URL: both are measured in turn, never at once.
    #[arg(long)]
    pub(crate) against: Option<Url>,
    /// The other server's process.
    #[arg(long)]
    pub(crate) against_pid: Option<u32>,
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

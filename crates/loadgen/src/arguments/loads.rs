//! What is asked of the loads of large rooms and accounts.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Clone)]
pub(crate) struct Initial {
    /// How many rooms everybody is in.
    #[arg(long, default_value_t = 20)]
    pub(crate) rooms: usize,
    /// How many people there are: each is in each room.
    #[arg(long, default_value_t = 20)]
    pub(crate) members: usize,
    /// How many messages each room has, all of which are asked for.
    #[arg(long, default_value_t = 10)]
    pub(crate) messages: usize,
    /// How long a message is.
    #[arg(long, default_value_t = 280)]
    pub(crate) body_bytes: usize,
    /// How many syncs make one turn.
    #[arg(long, default_value_t = 40)]
    pub(crate) syncs: usize,
    /// Keeps people, rooms and figures in this file.
    #[arg(long)]
    pub(crate) keep: Option<PathBuf>,
    /// Syncs once more, with what was kept in this file, and keeps the figure there too: for
    /// servers that have just been started again.
    #[arg(long, conflicts_with = "keep")]
    pub(crate) again: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub(crate) struct Account {
    /// How many rooms the person has whose syncs are measured.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) rooms: usize,
    /// How many rooms another person has, to compare with.
    #[arg(long, default_value_t = 10)]
    pub(crate) few: usize,
    /// How many rooms are in view of a sliding sync.
    #[arg(long, default_value_t = 20)]
    pub(crate) window: usize,
    /// How many events of each of them: clients that show a list of rooms ask for the last.
    #[arg(long, default_value_t = 1)]
    pub(crate) timeline: usize,
    /// How many syncs of each kind make one turn.
    #[arg(long, default_value_t = 40)]
    pub(crate) syncs: usize,
}

#[derive(Args, Clone)]
pub(crate) struct FanOut {
    /// How many people wait: at the nodes apart from the first, where the sender is, if there are
    /// others.
    #[arg(long, default_value_t = 100)]
    pub(crate) listeners: usize,
    /// How many messages make one turn; each is sent when everybody waits again.
    #[arg(long, default_value_t = 40)]
    pub(crate) messages: usize,
    /// How long a message is.
    #[arg(long, default_value_t = 200)]
    pub(crate) body_bytes: usize,
}

#[derive(Args, Clone)]
pub(crate) struct Joins {
    /// How many people join; each turn has a new room.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) people: usize,
    /// How many join on the other server, where as many would take too long. Joining becomes no
    /// faster as a room grows, so fewer flatter that server.
    #[arg(long)]
    pub(crate) against_people: Option<usize>,
    /// How many join at once.
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
}

#[derive(Args, Clone)]
pub(crate) struct History {
    /// How many messages the room has.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) events: usize,
    /// How many it has on the other server, where as many would take too long.
    #[arg(long)]
    pub(crate) against_events: Option<usize>,
    /// How many events are asked for at once.
    #[arg(long, default_value_t = 100)]
    pub(crate) page: usize,
    /// How long a message is.
    #[arg(long, default_value_t = 200)]
    pub(crate) body_bytes: usize,
}

#[derive(Args, Clone)]
pub(crate) struct LargeRoom {
    /// How many members the large room has.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) members: usize,
    /// How many the small room has.
    #[arg(long, default_value_t = 10)]
    pub(crate) few: usize,
    /// How many messages each room gets in one turn.
    #[arg(long, default_value_t = 500)]
    pub(crate) messages: usize,
    /// How many syncs of each room make one turn.
    #[arg(long, default_value_t = 40)]
    pub(crate) syncs: usize,
}

#[derive(Args, Clone)]
pub(crate) struct Memory {
    /// How many people there are.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) people: usize,
    /// How many rooms.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) rooms: usize,
    /// How many members each has.
    #[arg(long, default_value_t = 100)]
    pub(crate) members: usize,
    /// How many people sync.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) syncing: usize,
    /// How many messages are sent while they do, each to another room.
    #[arg(long, default_value_t = 2_000)]
    pub(crate) messages: usize,
}

//! The parts that can be measured alone.

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Part {
    /// From the process to the first answer.
    ColdStart,
    /// Messages to 20 rooms over 64 connections.
    Send,
    /// Messages over one connection.
    OneConnection,
    /// Messages of 64 connections to one room.
    OneRoom,
    /// Messages, receipts, typing and messages to devices.
    Mixed,
    /// Held polls.
    Hold,
    /// Files of 64 MiB.
    Files,
    /// Messages while a snapshot is held.
    Snapshot,
    /// What messages leave in memory and on disk.
    Kept,
    /// Initial syncs, warm and just after a restart.
    Initial,
    /// Next and sliding syncs of somebody who is in 1,000 rooms.
    Account,
    /// A message to 100 who wait for it.
    FanOut,
    /// 5,000 people who join one room.
    Joins,
    /// Paging back over 10,000 events.
    History,
    /// A room of 10,000 members.
    LargeRoom,
    /// The memory of 10,000 people in 10,000 rooms.
    Memory,
    /// Messages to servers on one PostgreSQL.
    PostgresSend,
    /// Messages to three nodes on PostgreSQL, and to one.
    ClusterSend,
    /// A message to a held sync at another node than the sender's.
    ClusterDelivery,
}

impl Part {
    /// Whether it was asked for: all are, where none was named.
    pub(super) fn is_among(self, only: &[Self]) -> bool {
        only.is_empty() || only.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_are_measured_unless_some_are_named() {
        assert!(Part::Memory.is_among(&[]));
        assert!(Part::Memory.is_among(&[Part::Joins, Part::Memory]));
        assert!(!Part::Memory.is_among(&[Part::Joins]));
    }
}

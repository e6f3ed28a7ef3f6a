//! Timeline, membership, state and receipts.

//! The threads that a user follows.

pub(crate) mod get_thread_subscription;
pub(crate) mod get_thread_subscriptions_changes;
pub(crate) mod subscribe_thread;
pub(crate) mod unsubscribe_thread;

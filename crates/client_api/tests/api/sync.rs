//! What a sync tells, and when.

mod basics;
mod beside;
mod devices;
mod filters;
mod forms;
mod memberships;
mod memory;
mod nodes;
mod notifications;
mod state_after;
mod timeline;
mod unread;

//! The tables of waiting messages and finished sends, and the statements that write them.

use store::{ColumnType, Insert};

pub(crate) static PUT_MESSAGES: Insert = Insert {
    table: "to_device_messages",
    columns: &[
        ("user_id", ColumnType::Int),
        ("device_id", ColumnType::Text),
        ("pos", ColumnType::Int),
        ("send_id", ColumnType::Text),
        ("sealed", ColumnType::Bytes),
    ],
    on_conflict: "",
};

pub(crate) static PUT_SENDS: Insert = Insert {
    table: "to_device_sends",
    columns: &[
        ("user_id", ColumnType::Int),
        ("device_id", ColumnType::Text),
        ("request", ColumnType::Bytes),
        ("at", ColumnType::Int),
    ],
    on_conflict: "",
};

pub(crate) const FIND_SEND: &str = "SELECT at FROM to_device_sends \
     WHERE user_id = $1 AND device_id = $2 AND request = $3";

/// Where a message is sealed.
pub(crate) fn message_place(user: i64, device: &str, send_id: &str) -> String {
    format!("{user}/{device}/{send_id}")
}

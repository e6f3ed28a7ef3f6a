//! Tags that the caller puts on rooms.

pub(crate) mod create_tag;
pub(crate) mod delete_tag;
pub(crate) mod get_tags;

use accounts::tags::TagError;

use crate::error::ApiError;

impl From<TagError> for ApiError {
    fn from(error: TagError) -> Self {
        match error {
            TagError::Name | TagError::TooMany => Self::invalid_param(error),
            TagError::TooLarge => Self::too_large(error),
            TagError::Store(error) => Self::internal(error),
        }
    }
}

//! Telling the administrators of what is not as it should be.

pub(crate) mod report_event;
pub(crate) mod report_room;
pub(crate) mod report_user;

use reports::ReportError;

use crate::error::ApiError;

impl From<ReportError> for ApiError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::TooLong => Self::too_large(error),
            ReportError::Store(error) => Self::internal(error),
        }
    }
}

//! The moment at which a fetch is given up.

use std::pin::pin;

use futures_util::future::{Either, select};
use model::time::Sleep;

use crate::FetchError;

/// What is left of the time of one fetch.
pub(crate) struct Deadline(Sleep);

impl Deadline {
    pub(crate) fn new(sleep: Sleep) -> Self {
        Self(sleep)
    }

    /// Works until it is done or the time is over; then the fetch is over too, so this is not
    /// called again.
    pub(crate) async fn race<T>(
        &mut self,
        work: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        match select(pin!(work), &mut self.0).await {
            Either::Left((done, _)) => done,
            Either::Right(((), _)) => Err(FetchError::TooSlow),
        }
    }
}

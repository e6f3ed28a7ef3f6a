//! The moment at which a conversation with a mail server is given up.

use std::pin::pin;

use futures_util::future::{Either, select};
use model::time::Sleep;

use crate::{SendError, Step, Why};

/// What is left of the time of one conversation.
pub(crate) struct Deadline(Sleep);

impl Deadline {
    pub(crate) fn new(sleep: Sleep) -> Self {
        Self(sleep)
    }

    /// Works until it is done or the time is over; then nothing is left of it, so this is not
    /// called again.
    pub(crate) async fn race<T>(
        &mut self,
        step: Step,
        work: impl Future<Output = Result<T, SendError>>,
    ) -> Result<T, SendError> {
        match select(pin!(work), &mut self.0).await {
            Either::Left((done, _)) => done,
            Either::Right(((), _)) => Err(SendError::later(step, Why::TooSlow)),
        }
    }
}

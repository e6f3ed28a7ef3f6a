//! A notice to everybody: pages of accounts, each person in a change of their own.
//!
//! Nobody is told twice under one name, so whatever broke off is simply done again.

use accounts::{Account, AccountKind, By};
use futures_util::{StreamExt, stream};

use crate::{NoticeError, Notices, Told, sending::check};

/// How many accounts one page looks at.
const PAGE: u16 = 200;

/// How many people are told at once; the log takes them in few batches.
const AT_ONCE: usize = 16;

/// What became of a notice to some of the people here.
#[derive(Debug, Default)]
pub struct Page {
    /// How many have it now.
    pub told: u64,
    /// How many had it before.
    pub before: u64,
    /// Who could not be told, and why.
    pub untold: Vec<Untold>,
    /// The account after which the next page begins, if there may be one.
    pub next: Option<i64>,
}

/// Somebody who could not be told.
#[derive(Debug)]
pub struct Untold {
    /// Who.
    pub user_id: String,
    /// Why.
    pub error: NoticeError,
}

impl Notices {
    /// Sends a notice to some of the people here: those of the accounts after `after`. Guests are
    /// passed over, who come and go, and closed accounts.
    pub async fn send_to_some(
        &self,
        after: i64,
        id: &str,
        text: &str,
        by: &By,
    ) -> Result<Page, NoticeError> {
        check(id, text)?;
        let accounts = self.accounts.list(after, PAGE).await?;
        let next = accounts.last().map(|last| last.user);
        let mut page = Page {
            next: next.filter(|_| accounts.len() == usize::from(PAGE)),
            ..Page::default()
        };
        let is_told = |account: &Account| {
            account.kind == AccountKind::Person && account.deactivated_at.is_none()
        };
        let people = accounts.into_iter().filter(is_told);
        let telling = people.map(|account| async move {
            let told = self.send_to(&account, id, text, by).await;
            (account, told)
        });
        let mut telling = stream::iter(telling).buffer_unordered(AT_ONCE);
        while let Some((account, told)) = telling.next().await {
            match told {
                Ok(Told::Now) => page.told += 1,
                Ok(Told::Before) => page.before += 1,
                // Whoever closed their account meanwhile is told nothing.
                Err(NoticeError::NoSuchUser) => {}
                Err(error @ NoticeError::Store(_)) => {
                    let user_id = account.user_id.to_string();
                    page.untold.push(Untold { user_id, error });
                }
                // It would be so for everybody.
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }
}

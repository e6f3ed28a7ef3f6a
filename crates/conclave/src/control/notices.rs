//! Telling people something.

use accounts::By;
use model::entropy::random_text;
use notices::{NoticeError, Page, Told};

use super::{
    Administration, Answer, Recipients,
    administration::{Refusal, failed},
};

/// How many characters the name of a notice has that nobody chose.
const MADE_UP_CHARACTERS: usize = 16;

impl Administration {
    /// Sends a notice to one person, or to some of everybody.
    pub(super) async fn send_notice(
        &self,
        to: Recipients,
        id: Option<String>,
        text: &str,
    ) -> Result<Answer, Refusal> {
        let made_up = || random_text(&*self.entropy, MADE_UP_CHARACTERS);
        let id = id.unwrap_or_else(made_up);
        let page = match to {
            Recipients::One(name) => self.send_to_one(&name, &id, text).await?,
            Recipients::After(after) => self.send_to_some(after, &id, text).await?,
        };
        let untold = page.untold.iter().map(|untold| {
            let what = format!("{} was not told", untold.user_id);
            failed(&what, &untold.error)
        });
        Ok(Answer::NoticesSent {
            told: page.told,
            before: page.before,
            untold: untold.collect(),
            next: page.next,
            id,
        })
    }

    async fn send_to_one(&self, name: &str, id: &str, text: &str) -> Result<Page, Refusal> {
        let user_id = self.user_id(name)?;
        let notices = &self.owners.notices;
        let told = notices.send(&user_id, id, text, &By::command_line()).await;
        let told = told.map_err(|error| refusal(&format!("{user_id} was not told"), &error))?;
        Ok(Page {
            told: u64::from(told == Told::Now),
            before: u64::from(told == Told::Before),
            ..Page::default()
        })
    }

    async fn send_to_some(&self, after: i64, id: &str, text: &str) -> Result<Page, Refusal> {
        let notices = &self.owners.notices;
        let by = By::command_line();
        let page = notices.send_to_some(after, id, text, &by).await;
        page.map_err(|error| refusal("not everybody was told", &error))
    }
}

fn refusal(what: &str, error: &NoticeError) -> Refusal {
    match error {
        NoticeError::Store(_) => failed(what, error),
        other => format!("{what}: {other}"),
    }
}

//! `/_conclave/mail`: the page behind the links in mails.
//!
//! Opening a link changes nothing, because programs that look through mail open links too: its
//! reader presses a button. The secret in the link is what allows the form, so a form from
//! elsewhere can do nothing.

use accounts::emails::{Confirmed, EmailLink, EmailPurpose};
use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    response::Response,
};
use http::{HeaderMap, StatusCode};
use minijinja::context;
use model::language::Language;
use serde::Deserialize;
use store::StoreError;
use tracing::instrument;
use url::Url;

use crate::{
    language::{language_of, texts_in},
    link::LinkToken,
    state::Pages,
};

/// What the form carries: the secret of the link.
#[derive(Deserialize)]
pub(crate) struct Submitted {
    token: String,
}

/// `GET /_conclave/mail`: asks whether the reader of the mail is who caused it.
#[instrument(name = "pages.mail", skip_all)]
pub(crate) async fn show(
    State(pages): State<Pages>,
    headers: HeaderMap,
    LinkToken(token): LinkToken,
) -> Response {
    let language = language_of(&headers);
    match pages.accounts.email_link(&token).await {
        Ok(EmailLink::Usable(purpose)) => pages.question(language, &token, purpose),
        Ok(EmailLink::Unknown) => pages.unknown_link(language),
        Err(error) => pages.mail_failed(language, &error),
    }
}

/// `POST /_conclave/mail`: they say that they are.
#[instrument(name = "pages.confirm_mail", skip_all)]
pub(crate) async fn confirm(
    State(pages): State<Pages>,
    headers: HeaderMap,
    form: Result<Form<Submitted>, FormRejection>,
) -> Response {
    let language = language_of(&headers);
    let texts = texts_in(language);
    let Ok(Form(form)) = form else {
        let status = StatusCode::BAD_REQUEST;
        let templates = &pages.templates;
        return templates.message(status, language, texts.failed_title, texts.incomplete);
    };
    match pages.accounts.confirm_email(&form.token).await {
        Ok(Some(confirmed)) => pages.confirmed(language, &confirmed),
        Ok(None) => pages.unknown_link(language),
        Err(error) => pages.mail_failed(language, &error),
    }
}

impl Pages {
    fn question(&self, language: Language, token: &str, purpose: EmailPurpose) -> Response {
        let texts = texts_in(language);
        let what = match purpose {
            EmailPurpose::AddAddress => texts.confirm_add,
            EmailPurpose::Register => texts.confirm_register,
            EmailPurpose::ResetPassword => texts.confirm_reset,
        };
        let server_name = self.accounts.server_name().as_str();
        let values = context! { token, what, server_name };
        self.templates
            .page(StatusCode::OK, language, "confirm.html", values)
    }

    /// Whoever asked for the mail chose where its reader goes on, and the reader is shown where
    /// that is: nobody is led away without knowing.
    fn confirmed(&self, language: Language, confirmed: &Confirmed) -> Response {
        let next = confirmed.next_link.as_deref().and_then(leads_to);
        let (next_link, next_host) = next.unzip();
        let values = context! { next_link, next_host };
        self.templates
            .page(StatusCode::OK, language, "confirmed.html", values)
    }

    fn unknown_link(&self, language: Language) -> Response {
        let texts = texts_in(language);
        let (title, sentence) = (texts.link_unknown_title, texts.mail_link_unknown);
        self.templates
            .message(StatusCode::NOT_FOUND, language, title, sentence)
    }

    pub(crate) fn mail_failed(&self, language: Language, error: &StoreError) -> Response {
        self.failed(language, "the page behind a mail", error)
    }
}

/// A page's address and its host; none of what is no page.
fn leads_to(link: &str) -> Option<(String, String)> {
    let url = Url::parse(link).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let host = url.host_str()?.to_owned();
    Some((url.into(), host))
}

#[cfg(test)]
mod tests {
    use super::leads_to;

    #[test]
    fn only_pages_are_led_to() {
        let led = leads_to("https://app.example.org/#/register?x=1");
        assert_eq!(led.unwrap().1, "app.example.org");
        for link in [
            "",
            "app",
            "javascript:alert(1)",
            "data:text/html,x",
            "element://x",
            "//example.org",
        ] {
            assert_eq!(leads_to(link), None, "{link}");
        }
    }
}

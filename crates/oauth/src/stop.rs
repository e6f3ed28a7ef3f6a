//! `/_conclave/mail/stop`: where mails about what is unread are ended.
//!
//! Opening the link changes nothing, because programs that look through mail open links too: its
//! reader presses a button, or their program of mail sends the one request of [RFC 8058] for them.
//! The secret in the link is what allows both, and what is in the body does not matter.
//!
//! [RFC 8058]: https://www.rfc-editor.org/rfc/rfc8058

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use minijinja::context;
use model::language::Language;
use pushers::StopLink;
use tracing::instrument;

use crate::{
    language::{language_of, texts_in},
    link::LinkToken,
    state::Pages,
};

/// `GET /_conclave/mail/stop`: asks whether the mails are to end.
#[instrument(name = "pages.stop_mail", skip_all)]
pub(crate) async fn show(
    State(pages): State<Pages>,
    headers: HeaderMap,
    LinkToken(token): LinkToken,
) -> Response {
    let language = language_of(&headers);
    match pages.pushers.stop_link(&token).await {
        Ok(StopLink::Usable) => {
            let server_name = pages.accounts.server_name().as_str();
            let values = context! { token, server_name };
            let templates = &pages.templates;
            templates.page(StatusCode::OK, language, "stop.html", values)
        }
        Ok(link) => pages.without_mails(language, link),
        Err(error) => pages.mail_failed(language, &error),
    }
}

/// `POST /_conclave/mail/stop`: ends them.
#[instrument(name = "pages.end_mail", skip_all)]
pub(crate) async fn stop(
    State(pages): State<Pages>,
    headers: HeaderMap,
    LinkToken(token): LinkToken,
) -> Response {
    let language = language_of(&headers);
    match pages.pushers.stop_by_link(&token).await {
        Ok(link) => pages.without_mails(language, link),
        Err(error) => pages.mail_failed(language, &error),
    }
}

impl Pages {
    fn without_mails(&self, language: Language, link: StopLink) -> Response {
        let texts = texts_in(language);
        let (status, title, sentence) = match link {
            StopLink::Usable | StopLink::Stopped => {
                (StatusCode::OK, texts.stopped_title, texts.stopped)
            }
            StopLink::Unknown => {
                let (title, sentence) = (texts.link_unknown_title, texts.stop_link_unknown);
                (StatusCode::NOT_FOUND, title, sentence)
            }
        };
        self.templates.message(status, language, title, sentence)
    }
}

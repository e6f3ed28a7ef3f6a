//! `/_conclave/setup`: the page that makes the first administrator.
//!
//! Its one-time token is what allows the form, so a form from elsewhere can do nothing.

use accounts::{RegisterError, Registered, SetupLink};
use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    response::Response,
};
use http::{Extensions, HeaderMap, StatusCode};
use minijinja::context;
use model::language::Language;
use serde::Deserialize;
use store::StoreError;
use tracing::instrument;
use zeroize::Zeroizing;

use crate::{
    language::{Texts, language_of, texts_in},
    link::LinkToken,
    state::Pages,
};

/// What the form carries.
#[derive(Deserialize)]
pub(crate) struct Submitted {
    token: String,
    username: String,
    password: String,
    repeated: String,
}

/// `GET /_conclave/setup`: shows the form, or why there is none.
#[instrument(name = "pages.setup", skip_all)]
pub(crate) async fn show(
    State(pages): State<Pages>,
    headers: HeaderMap,
    LinkToken(token): LinkToken,
) -> Response {
    let language = language_of(&headers);
    match pages.accounts.setup_link(&token).await {
        Ok(SetupLink::Usable) => pages.form(language, &token, "", None),
        Ok(link) => pages.no_form(language, link),
        Err(error) => pages.setup_failed(language, &error),
    }
}

/// `POST /_conclave/setup`: makes the administrator, and uses the link up.
#[instrument(name = "pages.set_up", skip_all)]
pub(crate) async fn submit(
    State(pages): State<Pages>,
    extensions: Extensions,
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
    let (password, repeated) = (Zeroizing::new(form.password), Zeroizing::new(form.repeated));
    let token = form.token.as_str();
    // Looked at first: without a good link nothing is hashed.
    match pages.accounts.setup_link(token).await {
        Ok(SetupLink::Usable) => {}
        Ok(link) => return pages.no_form(language, link),
        Err(error) => return pages.setup_failed(language, &error),
    }
    let username = form.username.trim().to_lowercase();
    if password != repeated {
        let error = Some(("repeated", texts.passwords_differ));
        return pages.form(language, token, &username, error);
    }
    let by = pages.stranger(&extensions, &headers);
    let made = pages.accounts.set_up(token, username.clone(), password, by);
    match made.await {
        Ok(made) => pages.done(language, &made),
        Err(error) => pages.refused(language, token, &username, error),
    }
}

impl Pages {
    fn form(
        &self,
        language: Language,
        token: &str,
        username: &str,
        error: Option<(&'static str, &'static str)>,
    ) -> Response {
        let status = match error {
            None => StatusCode::OK,
            Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let (field, error) = error.unzip();
        let server_name = self.accounts.server_name().as_str();
        let values = context! { token, username, server_name, field, error };
        self.templates.page(status, language, "setup.html", values)
    }

    fn no_form(&self, language: Language, link: SetupLink) -> Response {
        let Texts {
            link_unknown_title,
            link_unknown,
            link_used_title,
            link_used,
            ..
        } = texts_in(language);
        let (status, title, sentence) = match link {
            SetupLink::Done => (StatusCode::GONE, link_used_title, link_used),
            SetupLink::Usable | SetupLink::Unknown => {
                (StatusCode::NOT_FOUND, link_unknown_title, link_unknown)
            }
        };
        self.templates.message(status, language, title, sentence)
    }

    fn done(&self, language: Language, made: &Registered) -> Response {
        let user_id = made.user_id.as_str();
        let values = context! { user_id, public_url => &*self.public_url };
        self.templates
            .page(StatusCode::OK, language, "setup_done.html", values)
    }

    fn refused(
        &self,
        language: Language,
        token: &str,
        username: &str,
        error: RegisterError,
    ) -> Response {
        let texts = texts_in(language);
        let wrong = match error {
            RegisterError::Name(_) => ("username", texts.bad_name),
            RegisterError::Taken | RegisterError::Exclusive => ("username", texts.name_taken),
            RegisterError::Password(_) => ("password", texts.bad_password),
            RegisterError::AdministratorExists => {
                return self.no_form(language, SetupLink::Done);
            }
            // Somebody else was faster: the link was good a moment ago.
            RegisterError::Token => return self.no_form(language, SetupLink::Done),
            RegisterError::Store(error) => return self.setup_failed(language, &error),
            RegisterError::Closed
            | RegisterError::Device(_)
            | RegisterError::AnotherName
            | RegisterError::Unclaimed
            | RegisterError::Email(_)
            | RegisterError::NotAgreed
            | RegisterError::NoGuests
            | RegisterError::NotThisGuest
            | RegisterError::Locked => {
                return self.no_form(language, SetupLink::Unknown);
            }
        };
        self.form(language, token, username, Some(wrong))
    }

    fn setup_failed(&self, language: Language, error: &StoreError) -> Response {
        self.failed(language, "the setup page", error)
    }
}

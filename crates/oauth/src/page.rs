//! Rendering pages, and the headers that keep them harmless.

use std::sync::Arc;

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use minijinja::{Environment, Value, context, value::Serde};
use model::language::Language;

use crate::language::texts_in;

const LAYOUT: &str = include_str!("../templates/layout.html");
const SETUP: &str = include_str!("../templates/setup.html");
const SETUP_DONE: &str = include_str!("../templates/setup_done.html");
const CONFIRM: &str = include_str!("../templates/confirm.html");
const CONFIRMED: &str = include_str!("../templates/confirmed.html");
const STOP: &str = include_str!("../templates/stop.html");
const MESSAGE: &str = include_str!("../templates/message.html");
const STYLE: &str = include_str!("../templates/pages.css");

/// Nothing is loaded but the style sheet, nothing runs, nobody frames it, forms come here.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'";

/// The templates, parsed once. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Templates(Arc<Environment<'static>>);

impl Templates {
    pub(crate) fn new() -> Self {
        let mut environment = Environment::new();
        for (name, source) in [
            ("layout.html", LAYOUT),
            ("setup.html", SETUP),
            ("setup_done.html", SETUP_DONE),
            ("confirm.html", CONFIRM),
            ("confirmed.html", CONFIRMED),
            ("stop.html", STOP),
            ("message.html", MESSAGE),
        ] {
            environment
                .add_template(name, source)
                .expect("a test renders every template");
        }
        Self(Arc::new(environment))
    }

    /// Renders a page.
    pub(crate) fn page(
        &self,
        status: StatusCode,
        language: Language,
        template: &'static str,
        values: Value,
    ) -> Response {
        let t = Value::from(Serde(texts_in(language)));
        let common = context! { language => language.tag(), t };
        let rendered = self
            .0
            .get_template(template)
            .and_then(|template| template.render(context! { ..values, ..common }));
        match rendered {
            Ok(html) => protected((status, Html(html)).into_response()),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, template, "a page could not be rendered");
                protected(StatusCode::INTERNAL_SERVER_ERROR.into_response())
            }
        }
    }

    /// Renders a page that says one thing.
    pub(crate) fn message(
        &self,
        status: StatusCode,
        language: Language,
        title: &'static str,
        sentence: &'static str,
    ) -> Response {
        let values = context! { title, sentence };
        self.page(status, language, "message.html", values)
    }
}

/// Adds the headers of every page; addresses with secrets in them go to nobody else.
fn protected(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept-language"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `GET /_conclave/pages.css`: how the pages look.
pub(crate) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, STYLE).into_response()
}

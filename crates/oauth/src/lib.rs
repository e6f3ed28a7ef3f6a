//! The authorization server and its pages.
//!
//! Pages are rendered here, without scripts, in the language the browser asks for.

mod confirm;
mod language;
mod link;
mod page;
mod setup;
mod state;
mod stop;

use axum::{Router, extract::DefaultBodyLimit, routing::get};

pub use state::{AddressOf, Pages};

/// The largest form.
const FORM_BYTES: usize = 16 * 1024;

/// The pages as one router.
pub fn router(pages: Pages) -> Router {
    Router::new()
        .route("/_conclave/setup", get(setup::show).post(setup::submit))
        .route("/_conclave/mail", get(confirm::show).post(confirm::confirm))
        .route("/_conclave/mail/stop", get(stop::show).post(stop::stop))
        .route("/_conclave/pages.css", get(page::style))
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .with_state(pages)
}

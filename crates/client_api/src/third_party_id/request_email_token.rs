//! `POST /_matrix/client/v3/{account/3pid,account/password,register}/email/requestToken` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidemailrequesttoken

use accounts::{
    Accounts,
    emails::{EmailPurpose, EmailRequest, EmailRequestError},
};
use axum::extract::State;
use http::{HeaderMap, header::ACCEPT_LANGUAGE};
use model::{language::Language, mail_address::MailAddress};
use ruma::{
    OwnedSessionId, UInt,
    api::client::account::{
        request_3pid_management_token_via_email::v3 as of_an_account,
        request_password_change_token_via_email::v3 as of_a_password,
        request_registration_token_via_email::v3 as of_a_registration,
    },
};
use tracing::instrument;
use url::Url;

use crate::{error::ApiError, matrix::Matrix};

const NO_MAIL: &str = "this server sends no mail";

/// The longest address at which a person goes on.
const MAX_NEXT_LINK_BYTES: usize = 2_048;

/// Sends a mail that proves that somebody who adds an address to their account reads it.
///
/// Whether the address belongs to an account already is told in the mail alone.
#[instrument(name = "client.request_email_token", skip_all)]
pub(crate) async fn request_email_token(
    State(accounts): State<Accounts>,
    headers: HeaderMap,
    Matrix(req): Matrix<of_an_account::Request>,
) -> Result<Matrix<of_an_account::Response>, ApiError> {
    if !accounts.sends_mail() {
        return Err(ApiError::medium_not_supported(NO_MAIL));
    }
    let request = Asked {
        purpose: EmailPurpose::AddAddress,
        email: &req.email,
        client_secret: req.client_secret.as_str(),
        send_attempt: req.send_attempt,
        next_link: req.next_link,
    };
    let sid = request.ask(&accounts, &headers).await?;
    Ok(Matrix(of_an_account::Response::new(sid)))
}

/// The same for somebody who has forgotten their password. An address that nobody here has is sent
/// no mail, and whoever asks is not told.
#[instrument(name = "client.request_email_token_for_password", skip_all)]
pub(crate) async fn request_email_token_for_password(
    State(accounts): State<Accounts>,
    headers: HeaderMap,
    Matrix(req): Matrix<of_a_password::Request>,
) -> Result<Matrix<of_a_password::Response>, ApiError> {
    let request = Asked {
        purpose: EmailPurpose::ResetPassword,
        email: &req.email,
        client_secret: req.client_secret.as_str(),
        send_attempt: req.send_attempt,
        next_link: req.next_link,
    };
    let sid = request.ask(&accounts, &headers).await?;
    Ok(Matrix(of_a_password::Response::new(sid)))
}

/// The same for somebody who registers.
#[instrument(name = "client.request_email_token_for_registration", skip_all)]
pub(crate) async fn request_email_token_for_registration(
    State(accounts): State<Accounts>,
    headers: HeaderMap,
    Matrix(req): Matrix<of_a_registration::Request>,
) -> Result<Matrix<of_a_registration::Response>, ApiError> {
    let request = Asked {
        purpose: EmailPurpose::Register,
        email: &req.email,
        client_secret: req.client_secret.as_str(),
        send_attempt: req.send_attempt,
        next_link: req.next_link,
    };
    let sid = request.ask(&accounts, &headers).await?;
    Ok(Matrix(of_a_registration::Response::new(sid)))
}

/// What all three ask for. An identity server that a client names is not asked: this server proves
/// addresses itself.
struct Asked<'a> {
    purpose: EmailPurpose,
    email: &'a str,
    client_secret: &'a str,
    send_attempt: UInt,
    next_link: Option<String>,
}

impl Asked<'_> {
    async fn ask(
        self,
        accounts: &Accounts,
        headers: &HeaderMap,
    ) -> Result<OwnedSessionId, ApiError> {
        let address = MailAddress::parse(self.email).map_err(ApiError::invalid_param)?;
        let next_link = self.next_link.filter(|link| !link.is_empty());
        if let Some(link) = &next_link {
            check_next_link(link)?;
        }
        let request = EmailRequest {
            purpose: self.purpose,
            address,
            client_secret: self.client_secret,
            send_attempt: self.send_attempt.into(),
            next_link,
            language: language_of(headers),
        };
        let session_id = accounts.request_email(request).await?;
        OwnedSessionId::try_from(session_id).map_err(ApiError::internal)
    }
}

fn check_next_link(link: &str) -> Result<(), ApiError> {
    let url = Url::parse(link).ok();
    let is_page = url.is_some_and(|url| matches!(url.scheme(), "http" | "https"));
    if !is_page || link.len() > MAX_NEXT_LINK_BYTES {
        return Err(ApiError::invalid_param(
            "next_link is not an http:// or https:// address of bounded length",
        ));
    }
    Ok(())
}

fn language_of(headers: &HeaderMap) -> Language {
    let wanted = headers.get(ACCEPT_LANGUAGE);
    let wanted = wanted.and_then(|wanted| wanted.to_str().ok());
    Language::preferred(wanted.unwrap_or_default())
}

impl From<EmailRequestError> for ApiError {
    fn from(error: EmailRequestError) -> Self {
        match error {
            EmailRequestError::NoMail => Self::threepid_denied(NO_MAIL),
            EmailRequestError::TooMany(wait) => Self::too_many(wait, error),
            EmailRequestError::Store(error) => Self::internal(error),
        }
    }
}

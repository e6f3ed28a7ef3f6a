//! `POST /_matrix/client/v3/login` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login

use accounts::{Accounts, By, NewDevice, SignInError, SignedIn};
use axum::extract::State;
use ruma::{
    OwnedUserId,
    api::{
        IncomingRequest, Metadata,
        client::{
            session::login::v3::{self, ApplicationService, LoginInfo, Password},
            uiaa::UserIdentifier,
        },
        error::{DeserializationError, ErrorKind},
    },
};
use serde::{Deserialize, de};
use tracing::instrument;
use zeroize::Zeroizing;

use crate::{caller::AskingAppservice, error::ApiError, matrix::Matrix, origin::CameFrom};

/// Begins a session, with a password or a login token.
#[instrument(name = "client.login", skip_all)]
pub(crate) async fn login(
    State(accounts): State<Accounts>,
    CameFrom(origin): CameFrom,
    appservice: AskingAppservice,
    Matrix(Request(req)): Matrix<Request>,
) -> Result<Matrix<v3::Response>, ApiError> {
    let device = NewDevice {
        device_id: req.device_id,
        display_name: req.initial_device_display_name,
        refreshable: req.refresh_token,
    };
    let by = By::anonymous(origin);
    let signed_in = match req.login_info {
        LoginInfo::Password(info) => {
            let name = name(&info)?;
            let password = Zeroizing::new(info.password);
            match name {
                Name::User(name) => {
                    let proved = accounts.sign_in_with_password(&name, &password, device, by);
                    proved.await?
                }
                Name::Email(address) => {
                    let proved = accounts.sign_in_with_email(&address, &password, device, by);
                    proved.await?
                }
            }
        }
        LoginInfo::Token(info) => {
            let token = Zeroizing::new(info.token);
            accounts.sign_in_with_token(&token, device, by).await?
        }
        LoginInfo::ApplicationService(info) => {
            let appservice = appservice.demand()?;
            let user_id = user_of(&accounts, &info)?;
            let proved = accounts.sign_in_for(&appservice, &user_id, device, by.origin);
            proved.await?
        }
        other => {
            let sentence = format!("one cannot sign in with {}", other.login_type());
            let status = http::StatusCode::BAD_REQUEST;
            return Err(ApiError::new(status, ErrorKind::Unknown, sentence));
        }
    };
    Ok(Matrix(answer(signed_in)))
}

/// The user as whom an application service signs in.
#[expect(
    deprecated,
    reason = "bridges still send it, and the specification keeps it"
)]
fn user_of(accounts: &Accounts, info: &ApplicationService) -> Result<OwnedUserId, ApiError> {
    let name = match &info.identifier {
        Some(UserIdentifier::Matrix(matrix)) => &matrix.user,
        Some(_) => {
            let sentence = "identifier: application services know users by their user names";
            return Err(ApiError::invalid_param(sentence));
        }
        None => {
            let missing = || ApiError::bad_json("missing field `identifier`");
            info.user.as_ref().ok_or_else(missing)?
        }
    };
    let user_id = accounts.user_id_here(name);
    user_id.ok_or_else(|| ApiError::exclusive("this is the name of no user of this server"))
}

/// By what a person is known who signs in.
enum Name {
    /// A localpart or whole user id.
    User(String),
    /// What may be an address of mail.
    Email(String),
}

/// The user name or the address, in its present or its former place.
#[expect(
    deprecated,
    reason = "clients still send it, and the specification keeps it"
)]
fn name(info: &Password) -> Result<Name, ApiError> {
    match &info.identifier {
        Some(UserIdentifier::Matrix(matrix)) => Ok(Name::User(matrix.user.clone())),
        Some(UserIdentifier::Email(email)) => Ok(Name::Email(email.address.clone())),
        Some(_) => Err(ApiError::new(
            http::StatusCode::BAD_REQUEST,
            ErrorKind::Unknown,
            "people are known here by their user names and their addresses of mail",
        )),
        None => match (&info.user, &info.medium, &info.address) {
            (Some(user), ..) => Ok(Name::User(user.clone())),
            (None, Some(medium), Some(address)) if medium == "email" => {
                Ok(Name::Email(address.clone()))
            }
            _ => Err(ApiError::bad_json("missing field `identifier`")),
        },
    }
}

fn answer(signed_in: SignedIn) -> v3::Response {
    let SignedIn {
        user_id,
        access_token,
        device_id,
        ..
    } = signed_in;
    let mut response = v3::Response::new(user_id, access_token, device_id);
    response.refresh_token = signed_in.refresh_token;
    response.expires_in = signed_in.expires_in;
    response
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Wrong => Self::forbidden(error),
            SignInError::Limited(wait) => Self::limit_exceeded(wait),
            SignInError::DeviceId(_) | SignInError::DeviceName => Self::invalid_param(error),
            SignInError::Unclaimed => Self::exclusive(error),
            SignInError::Locked => Self::user_locked(),
            SignInError::TooManyDevices(_) => Self::forbidden(error),
            SignInError::Store(error) => Self::internal(error),
        }
    }
}

/// The request, whose `type` is looked for first: the type behind it takes that for granted.
pub(crate) struct Request(v3::Request);

impl Metadata for Request {
    const METHOD: http::Method = v3::Request::METHOD;
    const RATE_LIMITED: bool = v3::Request::RATE_LIMITED;
    type Authentication = <v3::Request as Metadata>::Authentication;
    type PathBuilder = <v3::Request as Metadata>::PathBuilder;
    const PATH_BUILDER: Self::PathBuilder = v3::Request::PATH_BUILDER;
}

impl IncomingRequest for Request {
    type EndpointError = <v3::Request as IncomingRequest>::EndpointError;
    type OutgoingResponse = v3::Response;

    fn try_from_http_request_inner(
        request: http::Request<&[u8]>,
        path_args: &[&str],
    ) -> Result<Self, DeserializationError> {
        #[derive(Deserialize)]
        struct Kind {
            r#type: Option<String>,
        }
        let kind: Kind = serde_json::from_slice(request.body())?;
        if kind.r#type.is_none() {
            let missing: serde_json::Error = de::Error::missing_field("type");
            return Err(missing.into());
        }
        v3::Request::try_from_http_request_inner(request, path_args).map(Self)
    }
}

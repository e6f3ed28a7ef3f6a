//! `POST /_matrix/client/v3/register` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register

use accounts::{Accounts, By, Grant, NewAccount, NewDevice, RegisterError, Registered, Session};
use appservices::Appservice;
use audit::Origin;
use axum::extract::State;
use ruma::api::client::account::register::{
    LoginType, RegistrationKind,
    v3::{Request, Response},
};
use tracing::instrument;
use zeroize::Zeroizing;

use crate::{
    caller::AskingAppservice,
    error::ApiError,
    matrix::{Matrix, Sparse},
    origin::CameFrom,
    session::uia,
};

/// Makes an account, and begins its first session; or a guest's, which needs no proof.
#[instrument(name = "client.register", skip_all)]
pub(crate) async fn register(
    State(accounts): State<Accounts>,
    CameFrom(origin): CameFrom,
    appservice: AskingAppservice,
    Matrix(req): Matrix<Request>,
) -> Result<Sparse<Response>, ApiError> {
    if req.login_type == Some(LoginType::ApplicationService) {
        // Without a token too: a 401 would ask for user-interactive authentication.
        let appservice = appservice.demand().map_err(|_| {
            ApiError::forbidden("only an application service can register in this way")
        })?;
        let made = make_user(&accounts, appservice, req, origin);
        return Ok(Sparse(made.await?));
    }
    if req.kind == RegistrationKind::Guest {
        // Of what else a client says, nothing counts.
        let registered = accounts
            .register_guest(req.initial_device_display_name, By::anonymous(origin))
            .await?;
        return Ok(Sparse(answer(registered)));
    }
    check_kind(&req)?;
    let of_guest = guest_of(&accounts, &req).await?;
    if let Some(name) = &req.username
        && of_guest.is_none()
    {
        // Before anything is to be proved: the person chooses another name first.
        accounts.check_available(name).await?;
    }
    let proved = accounts
        .prove_registration(uia::answer(req.auth.as_ref()))
        .await?;
    let device = NewDevice {
        device_id: req.device_id,
        display_name: req.initial_device_display_name,
        refreshable: req.refresh_token,
    };
    let new = NewAccount {
        localpart: req.username,
        password: req.password.map(Zeroizing::new),
        device: (!req.inhibit_login).then_some(device),
        of_guest,
        agreement: proved.agreement,
        ..NewAccount::default()
    };
    if new.password.is_none() {
        return Err(ApiError::missing_param("password is missing"));
    }
    let registered = accounts
        .register(new, proved.grant, By::anonymous(origin))
        .await?;
    Ok(Sparse(answer(registered)))
}

fn check_kind(req: &Request) -> Result<(), ApiError> {
    if req.kind != RegistrationKind::User {
        return Err(ApiError::invalid_param("kind: it is `user` or `guest`"));
    }
    if req.login_type.is_some() {
        return Err(ApiError::invalid_param(
            "type: it is `m.login.application_service`, or absent",
        ));
    }
    Ok(())
}

/// A user of an application service ([spec]): nothing is to be proved, and there is no password.
///
/// [spec]: https://spec.matrix.org/v1.19/application-service-api/#server-admin-style-permissions
async fn make_user(
    accounts: &Accounts,
    appservice: Appservice,
    req: Request,
    origin: Origin,
) -> Result<Response, ApiError> {
    if req.kind != RegistrationKind::User {
        let sentence = "kind: the users of application services are no guests";
        return Err(ApiError::invalid_param(sentence));
    }
    let name = req.username;
    let name = name.ok_or_else(|| ApiError::missing_param("username is missing"))?;
    // Some say the whole id.
    let localpart = match accounts.user_id_here(&name) {
        Some(user_id) if name.starts_with('@') => user_id.localpart().to_owned(),
        _ => name,
    };
    let device = NewDevice {
        device_id: req.device_id,
        display_name: req.initial_device_display_name,
        refreshable: req.refresh_token,
    };
    let new = NewAccount {
        localpart: Some(localpart),
        device: (!req.inhibit_login).then_some(device),
        ..NewAccount::default()
    };
    let by = By::appservice(&appservice, appservice.sender(), origin);
    let registered = accounts.register(new, Grant::Appservice(appservice), by);
    Ok(answer(registered.await?))
}

/// The guest whose account is to become a person's, and who names it.
async fn guest_of(accounts: &Accounts, req: &Request) -> Result<Option<Session>, ApiError> {
    let Some(token) = &req.guest_access_token else {
        return Ok(None);
    };
    let name = req
        .username
        .as_deref()
        .ok_or_else(|| ApiError::missing_param("username is missing: it is the guest's"))?;
    Ok(Some(accounts.guest(token, name).await?))
}

fn answer(registered: Registered) -> Response {
    let mut response = Response::new(registered.user_id);
    if let Some(signed_in) = registered.signed_in {
        response.access_token = Some(signed_in.access_token);
        response.device_id = Some(signed_in.device_id);
        response.refresh_token = signed_in.refresh_token;
        response.expires_in = signed_in.expires_in;
    }
    response
}

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Closed | RegisterError::AnotherName | RegisterError::Token => {
                Self::forbidden(error)
            }
            RegisterError::AdministratorExists
            | RegisterError::NotThisGuest
            | RegisterError::NotAgreed
            | RegisterError::Locked => Self::forbidden(error),
            RegisterError::NoGuests => Self::guest_access_forbidden(error),
            RegisterError::Name(_) => Self::invalid_username(error),
            RegisterError::Taken => Self::user_in_use(error),
            RegisterError::Exclusive | RegisterError::Unclaimed => Self::exclusive(error),
            RegisterError::Password(_) => Self::weak_password(error),
            RegisterError::Device(_) => Self::invalid_param(error),
            RegisterError::Email(error) => error.into(),
            RegisterError::Store(error) => Self::internal(error),
        }
    }
}

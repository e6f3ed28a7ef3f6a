//! User-interactive authentication: what clients say, and what they are told.

use accounts::{
    Accounts, Answer, By, Challenge, Operation, ProveError, Session, Stage, StageProof,
};
use ruma::api::{
    client::uiaa::{AuthData, AuthFlow, AuthType, UiaaInfo, UserIdentifier},
    error::{ErrorKind, StandardErrorBody},
};

use crate::{caller::Caller, error::ApiError};

/// Lets a request go on whose caller proves to be the owner of the session.
pub(crate) async fn prove_owner(
    accounts: &Accounts,
    operation: Operation,
    caller: &Caller,
    auth: Option<&AuthData>,
    origin: audit::Origin,
) -> Result<(), ApiError> {
    let session = session_of(caller)?;
    let by = By::session(&session, origin);
    let proved = accounts.prove_owner(operation, &session, auth.map(answer_of), &by);
    Ok(proved.await?)
}

fn session_of(caller: &Caller) -> Result<Session, ApiError> {
    Ok(Session {
        user_id: caller.user_id.clone(),
        user: caller.user,
        device_id: caller.own_device()?.to_owned(),
        session: caller.session,
        admin: caller.is_admin,
    })
}

fn answer_of(auth: &AuthData) -> Answer<'_> {
    let proof = match auth {
        AuthData::Dummy(_) => StageProof::Dummy,
        AuthData::RegistrationToken(data) => StageProof::RegistrationToken(&data.token),
        AuthData::Password(data) => match &data.identifier {
            UserIdentifier::Matrix(user) => StageProof::Password {
                name: Some(&user.user),
                password: &data.password,
            },
            // Nobody is known here by anything else.
            _ => StageProof::None,
        },
        _ => StageProof::None,
    };
    Answer {
        session: auth.session(),
        proof,
    }
}

impl From<ProveError> for ApiError {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Challenge(challenge) => Self::uiaa(info_of(&challenge)),
            ProveError::Limited(wait) => Self::limit_exceeded(wait),
            ProveError::Store(_) => Self::internal(error),
        }
    }
}

fn info_of(challenge: &Challenge) -> UiaaInfo {
    let flows = challenge.flows.iter().map(|stages| {
        let stages = stages.iter().map(|stage| match stage {
            Stage::Dummy => AuthType::Dummy,
            Stage::RegistrationToken => AuthType::RegistrationToken,
            Stage::Password => AuthType::Password,
        });
        AuthFlow::new(stages.collect())
    });
    let mut info = UiaaInfo::new(flows.collect());
    info.session = Some(challenge.session.clone());
    info.params = Some(no_params());
    info.auth_error = challenge.refusal.map(|refusal| {
        let sentence = refusal.to_string();
        Box::new(StandardErrorBody::new(ErrorKind::Forbidden, sentence))
    });
    info
}

/// No stage here has parameters; clients expect the object all the same.
fn no_params() -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}

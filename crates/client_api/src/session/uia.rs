//! User-interactive authentication between its wire form and [`accounts`].
//!
//! See <https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api>.

use accounts::{Answer, Challenge, Policy, ProofRefusal, ProveError, Stage, StageProof};
use ruma::api::{
    client::uiaa::{
        AuthData, AuthFlow, AuthType, LoginTermsParams, PolicyDefinition, PolicyTranslation,
        UiaaInfo, UserIdentifier,
    },
    error::{ErrorKind, StandardErrorBody},
};
use serde_json::{json, value::to_raw_value};

use crate::error::ApiError;

/// What a client proves with its `auth` object.
pub(crate) fn answer(auth: Option<&AuthData>) -> Option<Answer<'_>> {
    let auth = auth?;
    let proof = match auth {
        AuthData::Dummy(_) => StageProof::Dummy,
        AuthData::Terms(_) => StageProof::Terms,
        AuthData::RegistrationToken(data) => StageProof::RegistrationToken(&data.token),
        AuthData::Password(data) => match &data.identifier {
            UserIdentifier::Matrix(matrix) => StageProof::Password {
                name: Some(&matrix.user),
                password: &data.password,
            },
            // Only user names identify people here.
            _ => StageProof::None,
        },
        AuthData::EmailIdentity(data) => StageProof::Email {
            session_id: data.thirdparty_id_creds.sid.as_str(),
            client_secret: data.thirdparty_id_creds.client_secret.as_str(),
        },
        // A stage that is not offered proves nothing.
        _ => StageProof::None,
    };
    let session = auth.session();
    Some(Answer { session, proof })
}

impl From<ProveError> for ApiError {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Challenge(challenge) => Self::uiaa(wire_form(challenge)),
            ProveError::Limited(wait) => Self::limit_exceeded(wait),
            ProveError::Store(error) => Self::internal(error),
        }
    }
}

/// The policies as clients show them.
fn shown(policies: &[Policy]) -> LoginTermsParams {
    let policies = policies.iter().map(|policy| {
        let texts = policy.texts.iter().map(|(language, text)| {
            let text = PolicyTranslation::new(text.name.clone(), text.url.clone());
            (language.clone(), text)
        });
        let shown = PolicyDefinition::new(policy.version.clone(), texts.collect());
        (policy.id.clone(), shown)
    });
    LoginTermsParams::new(policies.collect())
}

fn wire_form(challenge: Challenge) -> UiaaInfo {
    let stage = |stage: Stage| match stage {
        Stage::Dummy => AuthType::Dummy,
        Stage::RegistrationToken => AuthType::RegistrationToken,
        Stage::Password => AuthType::Password,
        Stage::Email => AuthType::EmailIdentity,
        Stage::Terms => AuthType::Terms,
    };
    let flows = challenge
        .flows
        .into_iter()
        .map(|stages| AuthFlow::new(stages.into_iter().map(stage).collect()));
    let mut info = UiaaInfo::new(flows.collect());
    info.completed = challenge.completed.into_iter().map(stage).collect();
    let params = match challenge.policies.as_slice() {
        [] => json!({}),
        policies => json!({ (AuthType::Terms.as_str()): shown(policies) }),
    };
    info.params = to_raw_value(&params).ok();
    info.session = Some(challenge.session);
    info.auth_error = challenge.refusal.map(|refusal| {
        let kind = match refusal {
            ProofRefusal::Password => ErrorKind::Forbidden,
            ProofRefusal::RegistrationToken => ErrorKind::Unauthorized,
            ProofRefusal::Email => ErrorKind::ThreepidAuthFailed,
        };
        Box::new(StandardErrorBody::new(kind, refusal.to_string()))
    });
    info
}

//! User-interactive authentication: what a sensitive request must prove.
//!
//! Every flow has one stage, so nothing has to be kept between requests: the session's id is a
//! signed slip, and any node can check it. It binds the session to one operation of one session
//! of one person.

use std::time::Duration;

use audit::Act;
use store::StoreError;
use zeroize::Zeroizing;

use crate::{
    Accounts, By, Grant, RegistrationMode, Session, SignInError, emails::ForgottenPassword,
};

/// How long a client has to answer.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// What a session of user-interactive authentication is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Making an account.
    Register,
    /// Removing devices.
    RemoveDevices,
    /// Changing the password.
    ChangePassword,
    /// Replacing a password that was forgotten, without a session.
    ResetPassword,
    /// Adding an address of mail.
    AddEmail,
    /// Closing the account.
    Deactivate,
    /// Making a token with which another device signs in.
    MakeLoginToken,
    /// Replacing cross-signing keys.
    UploadCrossSigningKeys,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::RemoveDevices => "remove_devices",
            Self::ChangePassword => "change_password",
            Self::ResetPassword => "reset_password",
            Self::AddEmail => "add_email",
            Self::Deactivate => "deactivate",
            Self::MakeLoginToken => "make_login_token",
            Self::UploadCrossSigningKeys => "upload_cross_signing_keys",
        }
    }
}

/// One thing to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing: `m.login.dummy`.
    Dummy,
    /// A registration token: `m.login.registration_token`.
    RegistrationToken,
    /// The password: `m.login.password`.
    Password,
    /// That one reads an address of mail: `m.login.email.identity`.
    Email,
}

/// What a client says to prove something.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The session that it was challenged in.
    pub session: Option<&'a str>,
    /// The proof.
    pub proof: StageProof<'a>,
}

/// The proof of one stage.
#[derive(Clone, Copy)]
pub enum StageProof<'a> {
    /// None is needed.
    Dummy,
    /// The token.
    RegistrationToken(&'a str),
    /// The password, and whose it is.
    Password {
        /// A localpart or whole user id; the caller's own when absent.
        name: Option<&'a str>,
        /// The password.
        password: &'a str,
    },
    /// A session in which an address of mail was confirmed.
    Email {
        /// Its id.
        session_id: &'a str,
        /// What its client alone knows.
        client_secret: &'a str,
    },
    /// Nothing yet, or a stage that is not offered.
    None,
}

/// What the client must prove, each of the flows being enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The session to answer in.
    pub session: String,
    /// The stages of each flow.
    pub flows: Vec<Vec<Stage>>,
    /// Why the answer before was not enough.
    pub refusal: Option<ProofRefusal>,
}

/// Why a proof was not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefusal {
    /// The password is wrong, or another person's.
    #[error("the password is not right")]
    Password,
    /// The registration token is not valid.
    #[error("the registration token is not valid, was used before or has expired")]
    RegistrationToken,
    /// The address of mail was not confirmed.
    #[error("the address of mail was not confirmed, or too long ago, or that was used already")]
    Email,
}

/// Why a request may not go on.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// More has to be proved.
    #[error("the request must be authenticated")]
    Challenge(Challenge),
    /// Too many wrong passwords; try again later.
    #[error("too many wrong passwords")]
    Limited(Duration),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const PURPOSE: &str = "accounts.uia";

impl Accounts {
    /// Checks what somebody proves who wants to register, and tells what it allows.
    pub async fn prove_registration(
        &self,
        answer: Option<Answer<'_>>,
    ) -> Result<Grant, ProveError> {
        let mut flows = match self.registration_mode() {
            RegistrationMode::Open => vec![vec![Stage::Dummy], vec![Stage::RegistrationToken]],
            RegistrationMode::Token | RegistrationMode::Closed => {
                vec![vec![Stage::RegistrationToken]]
            }
        };
        if self.sends_mail() && self.registration_mode() == RegistrationMode::Open {
            flows.push(vec![Stage::Email]);
        }
        let offered = |stage: Stage| flows.iter().any(|flow| flow.contains(&stage));
        let binding = Operation::Register.as_str();
        let mut refusal = None;
        match self.proof_in(answer, binding) {
            StageProof::Dummy if offered(Stage::Dummy) => return Ok(Grant::Open),
            StageProof::RegistrationToken(token) => {
                if self.is_registration_token_valid(token).await? {
                    return Ok(Grant::Token(Zeroizing::new(token.to_owned())));
                }
                refusal = Some(ProofRefusal::RegistrationToken);
            }
            StageProof::Email {
                session_id,
                client_secret,
            } if offered(Stage::Email) => {
                if let Some(proof) = self.prove_email(session_id, client_secret).await? {
                    return Ok(Grant::Email(proof));
                }
                refusal = Some(ProofRefusal::Email);
            }
            StageProof::Dummy
            | StageProof::Password { .. }
            | StageProof::Email { .. }
            | StageProof::None => {}
        }
        Err(ProveError::Challenge(
            self.challenge(binding, flows, refusal),
        ))
    }

    /// Checks that somebody without a session reads the mail of an account whose password they
    /// want to replace.
    pub async fn prove_forgotten_password(
        &self,
        answer: Option<Answer<'_>>,
    ) -> Result<ForgottenPassword, ProveError> {
        let binding = Operation::ResetPassword.as_str();
        let mut refusal = None;
        if let StageProof::Email {
            session_id,
            client_secret,
        } = self.proof_in(answer, binding)
        {
            if let Some(proof) = self.prove_forgotten(session_id, client_secret).await? {
                return Ok(proof);
            }
            refusal = Some(ProofRefusal::Email);
        }
        let flows = vec![vec![Stage::Email]];
        Err(ProveError::Challenge(
            self.challenge(binding, flows, refusal),
        ))
    }

    /// What somebody is told whose proof was used, or stopped being one, while it was looked at.
    pub fn refuse_forgotten_password(&self) -> ProveError {
        let binding = Operation::ResetPassword.as_str();
        let flows = vec![vec![Stage::Email]];
        ProveError::Challenge(self.challenge(binding, flows, Some(ProofRefusal::Email)))
    }

    /// Checks that the owner of a session is there in person.
    pub async fn prove_owner(
        &self,
        operation: Operation,
        session: &Session,
        answer: Option<Answer<'_>>,
        by: &By,
    ) -> Result<(), ProveError> {
        let binding = format!("{}/{}", operation.as_str(), session.session);
        let mut refusal = None;
        if let StageProof::Password { name, password } = self.proof_in(answer, &binding) {
            if self.is_own_password(session, name, password, by).await? {
                return Ok(());
            }
            refusal = Some(ProofRefusal::Password);
        }
        let flows = vec![vec![Stage::Password]];
        Err(ProveError::Challenge(
            self.challenge(&binding, flows, refusal),
        ))
    }

    async fn is_own_password(
        &self,
        session: &Session,
        name: Option<&str>,
        password: &str,
        by: &By,
    ) -> Result<bool, ProveError> {
        let named = match name {
            Some(name) => self.user_id_here(name),
            None => Some(session.user_id.clone()),
        };
        if named.as_ref() != Some(&session.user_id) {
            return Ok(false);
        }
        let own = session.user_id.as_str();
        let proved = self.prove_password(own, password, by, Act::ConfirmationFailed);
        match proved.await {
            Ok(_) => Ok(true),
            Err(SignInError::Limited(wait)) => Err(ProveError::Limited(wait)),
            Err(SignInError::Store(error)) => Err(ProveError::Store(error)),
            Err(_) => Ok(false),
        }
    }

    /// The proof of an answer, unless it was given in a session for something else or too late.
    /// Clients may answer without having been challenged.
    fn proof_in<'a>(&self, answer: Option<Answer<'a>>, binding: &str) -> StageProof<'a> {
        match answer {
            Some(Answer { session, proof })
                if session.is_none_or(|slip| self.check_slip(PURPOSE, binding, slip).is_some()) =>
            {
                proof
            }
            _ => StageProof::None,
        }
    }

    fn challenge(
        &self,
        binding: &str,
        flows: Vec<Vec<Stage>>,
        refusal: Option<ProofRefusal>,
    ) -> Challenge {
        Challenge {
            session: self.issue_slip(PURPOSE, binding, LIFETIME),
            flows,
            refusal,
        }
    }
}

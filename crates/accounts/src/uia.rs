//! User-interactive authentication: what a sensitive request must prove.
//!
//! Nothing is kept between requests: the session's id is a signed slip, and any node can check it.
//! It binds the session to one operation of one session of one person. Where a flow has several
//! stages, those that were completed are written behind the slip, and signed with it: each answer
//! that is not the last gets another id.

use std::time::Duration;

use audit::Act;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use store::StoreError;

use crate::{
    Accounts, Agreement, By, Grant, Policy, PresentedToken, RegistrationMode, Session, SignInError,
    emails::{EmailProof, ForgottenPassword},
    rows::Hash,
    secret,
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
    /// Agreeing to the policies: `m.login.terms`.
    Terms,
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
    /// That the policies are agreed to which were told with the session.
    Terms,
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
    /// The stages that were completed in this session.
    pub completed: Vec<Stage>,
    /// What is to be agreed to.
    pub policies: Vec<Policy>,
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

/// What somebody has proved who registers.
pub struct Proved {
    /// What lets them register.
    pub grant: Grant,
    /// That they agreed to the policies, if there are any.
    pub agreement: Option<Agreement>,
}

/// What was completed in a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Completed {
    dummy: bool,
    /// The registration token that was valid then.
    token: Option<Hash>,
    /// The address of mail that was confirmed.
    email: Option<EmailProof>,
    terms: bool,
}

impl Completed {
    /// As it stands in a session's id.
    fn written(&self) -> String {
        let mut parts = Vec::new();
        if self.dummy {
            parts.push("d".to_owned());
        }
        if let Some(hash) = &self.token {
            parts.push(format!("t{}", URL_SAFE_NO_PAD.encode(hash)));
        }
        if let Some(email) = &self.email {
            parts.push(format!("e{}", URL_SAFE_NO_PAD.encode(email.to_bytes())));
        }
        if self.terms {
            parts.push("a".to_owned());
        }
        parts.join("~")
    }

    /// Reads what [`written`](Self::written) gave.
    fn read(text: &str) -> Option<Self> {
        let mut completed = Self::default();
        for part in text.split('~').filter(|part| !part.is_empty()) {
            match part.split_at_checked(1)? {
                ("d", "") => completed.dummy = true,
                ("a", "") => completed.terms = true,
                ("t", hash) => {
                    let hash = URL_SAFE_NO_PAD.decode(hash).ok()?;
                    completed.token = Some(hash.try_into().ok()?);
                }
                ("e", email) => {
                    let email = URL_SAFE_NO_PAD.decode(email).ok()?;
                    completed.email = Some(EmailProof::from_bytes(&email)?);
                }
                _ => return None,
            }
        }
        Some(completed)
    }

    fn has(&self, stage: Stage) -> bool {
        match stage {
            Stage::Dummy => self.dummy,
            Stage::RegistrationToken => self.token.is_some(),
            Stage::Email => self.email.is_some(),
            Stage::Terms => self.terms,
            Stage::Password => false,
        }
    }

    fn stages(&self) -> Vec<Stage> {
        let all = [
            Stage::Dummy,
            Stage::RegistrationToken,
            Stage::Email,
            Stage::Terms,
        ];
        all.into_iter().filter(|stage| self.has(*stage)).collect()
    }

    /// What somebody has proved who completed all of a flow.
    fn proves(&self, flow: &[Stage]) -> Option<Proved> {
        if !flow.iter().all(|stage| self.has(*stage)) {
            return None;
        }
        let token = self
            .token
            .filter(|_| flow.contains(&Stage::RegistrationToken));
        let email = self.email.clone();
        let email = email.filter(|_| flow.contains(&Stage::Email));
        Some(Proved {
            grant: match (token, email) {
                (Some(hash), _) => Grant::Token(PresentedToken(Some(hash))),
                (None, Some(email)) => Grant::Email(email),
                (None, None) => Grant::Open,
            },
            agreement: flow.contains(&Stage::Terms).then_some(Agreement(())),
        })
    }
}

const PURPOSE: &str = "accounts.uia";

impl Accounts {
    /// Checks what somebody proves who wants to register, and tells what it allows.
    pub async fn prove_registration(
        &self,
        answer: Option<Answer<'_>>,
    ) -> Result<Proved, ProveError> {
        let flows = self.registration_flows();
        let offered = |stage: Stage| flows.iter().any(|flow| flow.contains(&stage));
        let binding = self.registration_binding();
        let (mut completed, proof) = self.completed_in(answer, &binding);
        // Nobody agrees to what they were not told.
        let was_told = answer.is_some_and(|answer| answer.session.is_some());
        let mut refusal = None;
        match proof {
            StageProof::Dummy if offered(Stage::Dummy) => completed.dummy = true,
            StageProof::Terms if offered(Stage::Terms) && was_told => completed.terms = true,
            StageProof::RegistrationToken(token) => {
                if self.is_registration_token_valid(token).await? {
                    completed.token = secret::presented(token);
                } else {
                    refusal = Some(ProofRefusal::RegistrationToken);
                }
            }
            StageProof::Email {
                session_id,
                client_secret,
            } if offered(Stage::Email) => {
                completed.email = self.prove_email(session_id, client_secret).await?;
                if completed.email.is_none() {
                    refusal = Some(ProofRefusal::Email);
                }
            }
            StageProof::Dummy
            | StageProof::Terms
            | StageProof::Password { .. }
            | StageProof::Email { .. }
            | StageProof::None => {}
        }
        if refusal.is_none()
            && let Some(proved) = flows.iter().find_map(|flow| completed.proves(flow))
        {
            return Ok(proved);
        }
        let mut challenge = self.challenge(&binding, &completed, flows, refusal);
        challenge.policies = self.policies().to_vec();
        Err(ProveError::Challenge(challenge))
    }

    /// What is asked of who registers: agreeing to the policies in every flow, if there are any.
    fn registration_flows(&self) -> Vec<Vec<Stage>> {
        let mut flows = match self.registration_mode() {
            RegistrationMode::Open => vec![vec![Stage::Dummy], vec![Stage::RegistrationToken]],
            RegistrationMode::Token | RegistrationMode::Closed => {
                vec![vec![Stage::RegistrationToken]]
            }
        };
        if self.sends_mail() && self.registration_mode() == RegistrationMode::Open {
            flows.push(vec![Stage::Email]);
        }
        if !self.policies().is_empty() {
            flows.iter_mut().for_each(|flow| flow.push(Stage::Terms));
        }
        flows
    }

    /// Binds a session to the policies that are told with it.
    fn registration_binding(&self) -> String {
        let operation = Operation::Register.as_str();
        match self.policies() {
            [] => operation.to_owned(),
            _ => format!("{operation}/{}", self.policies_digest()),
        }
    }

    /// Checks that somebody without a session reads the mail of an account whose password they
    /// want to replace.
    pub async fn prove_forgotten_password(
        &self,
        answer: Option<Answer<'_>>,
    ) -> Result<ForgottenPassword, ProveError> {
        let binding = Operation::ResetPassword.as_str();
        let mut refusal = None;
        let (_, proof) = self.completed_in(answer, binding);
        if let StageProof::Email {
            session_id,
            client_secret,
        } = proof
        {
            if let Some(proof) = self.prove_forgotten(session_id, client_secret).await? {
                return Ok(proof);
            }
            refusal = Some(ProofRefusal::Email);
        }
        Err(ProveError::Challenge(self.challenge_forgotten(refusal)))
    }

    /// What somebody is told whose proof was used, or stopped being one, while it was looked at.
    pub fn refuse_forgotten_password(&self) -> ProveError {
        ProveError::Challenge(self.challenge_forgotten(Some(ProofRefusal::Email)))
    }

    fn challenge_forgotten(&self, refusal: Option<ProofRefusal>) -> Challenge {
        let binding = Operation::ResetPassword.as_str();
        let flows = vec![vec![Stage::Email]];
        self.challenge(binding, &Completed::default(), flows, refusal)
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
        let (completed, proof) = self.completed_in(answer, &binding);
        if let StageProof::Password { name, password } = proof {
            if self.is_own_password(session, name, password, by).await? {
                return Ok(());
            }
            refusal = Some(ProofRefusal::Password);
        }
        let flows = vec![vec![Stage::Password]];
        let challenge = self.challenge(&binding, &completed, flows, refusal);
        Err(ProveError::Challenge(challenge))
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

    /// What was completed in the session of an answer, and its proof; nothing of either if the
    /// session is for something else, or too old. Clients may answer without having been
    /// challenged.
    fn completed_in<'a>(
        &self,
        answer: Option<Answer<'a>>,
        binding: &str,
    ) -> (Completed, StageProof<'a>) {
        let nothing = (Completed::default(), StageProof::None);
        let Some(Answer { session, proof }) = answer else {
            return nothing;
        };
        let Some(session) = session else {
            return (Completed::default(), proof);
        };
        let (slip, completed) = session.split_once('.').unwrap_or((session, ""));
        let is_good = self
            .check_slip(PURPOSE, &bound(binding, completed), slip)
            .is_some();
        let completed = Completed::read(completed).filter(|_| is_good);
        completed.map_or(nothing, |completed| (completed, proof))
    }

    fn challenge(
        &self,
        binding: &str,
        completed: &Completed,
        flows: Vec<Vec<Stage>>,
        refusal: Option<ProofRefusal>,
    ) -> Challenge {
        let written = completed.written();
        let slip = self.issue_slip(PURPOSE, &bound(binding, &written), LIFETIME);
        let session = match written.is_empty() {
            true => slip,
            false => format!("{slip}.{written}"),
        };
        Challenge {
            session,
            flows,
            completed: completed.stages(),
            policies: Vec::new(),
            refusal,
        }
    }
}

/// To what a slip is bound: what the session is for, and what was completed in it.
fn bound(binding: &str, completed: &str) -> String {
    match completed {
        "" => binding.to_owned(),
        // No binding has a NUL.
        _ => format!("{binding}\0{completed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Completed, EmailProof, Stage};

    #[test]
    fn what_was_completed_is_read_as_it_was_written() {
        for completed in [
            Completed::default(),
            Completed {
                dummy: true,
                ..Completed::default()
            },
            Completed {
                dummy: true,
                token: Some([7; 32]),
                email: EmailProof::from_bytes(&[b'7'; 48]),
                terms: true,
            },
        ] {
            assert_eq!(Completed::read(&completed.written()), Some(completed));
        }
        for nonsense in ["x", "dd", "t", "tAAAA", "eAAAA", "a~b", "é"] {
            assert_eq!(Completed::read(nonsense), None, "{nonsense}");
        }
        assert!(!Completed::default().has(Stage::Password));
    }
}

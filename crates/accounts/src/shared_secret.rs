//! Registration by tools that know `registration.shared_secret`.
//!
//! The scheme is Synapse's, so that its tools work: a nonce, and an HMAC-SHA-1 over nonce, name,
//! password and rights.

use std::time::Duration;

use audit::{Act, Actor};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::{
    Accounts, By, Grant, NewAccount, NewDevice, RegisterError, Registered,
    registration::SpentNonce, secret,
};

const PURPOSE: &str = "accounts.shared_secret";

/// How long a nonce is good.
const NONCE_LIFETIME: Duration = Duration::from_secs(60);

/// What a tool asks for.
pub struct SharedSecretRegistration {
    /// The nonce it was given.
    pub nonce: String,
    /// The name.
    pub username: String,
    /// The name that others see.
    pub display_name: Option<String>,
    /// The password.
    pub password: Zeroizing<String>,
    /// Whether the account is an administrator's.
    pub admin: bool,
    /// Synapse's kind of user; part of the MAC where it is given.
    pub user_type: Option<String>,
    /// The HMAC, in hexadecimal.
    pub mac: String,
}

/// Why a tool may not register.
#[derive(Debug, thiserror::Error)]
pub enum SharedSecretError {
    /// No shared secret is configured.
    #[error("registration with a shared secret is not configured")]
    NotConfigured,
    /// The nonce is unknown, was used before or has expired.
    #[error("the nonce is not known, was used before or has expired")]
    Nonce,
    /// The MAC is wrong.
    #[error("the MAC is not right")]
    Mac,
    /// A name, password or kind of user is not taken.
    #[error(transparent)]
    Register(RegisterError),
    /// Only ordinary users can be made.
    #[error("only ordinary users can be made: leave user_type out")]
    UserType,
}

impl Accounts {
    /// A nonce for one registration; `None` when no shared secret is configured.
    pub fn shared_secret_nonce(&self) -> Option<String> {
        self.inner.settings.shared_secret.as_ref()?;
        Some(self.issue_slip(PURPOSE, "", NONCE_LIFETIME))
    }

    /// Makes the account that a tool asks for, and a session.
    pub async fn register_with_shared_secret(
        &self,
        request: SharedSecretRegistration,
        by: By,
    ) -> Result<Registered, SharedSecretError> {
        let shared = self.inner.settings.shared_secret.as_ref();
        let shared = shared.ok_or(SharedSecretError::NotConfigured)?;
        let expires_at = self
            .check_slip(PURPOSE, "", &request.nonce)
            .ok_or(SharedSecretError::Nonce)?;
        if !is_signed(&request, shared) {
            let record = by.record(Act::SignInFailed).refused("shared secret");
            self.record_refusal(record)
                .await
                .map_err(|error| SharedSecretError::Register(error.into()))?;
            return Err(SharedSecretError::Mac);
        }
        if request.user_type.is_some() {
            return Err(SharedSecretError::UserType);
        }
        let nonce = SpentNonce {
            hash: secret::hash(&request.nonce),
            expires_at,
        };
        let new = NewAccount {
            localpart: Some(request.username),
            password: Some(request.password),
            admin: request.admin,
            display_name: request.display_name,
            device: Some(NewDevice::default()),
            ..NewAccount::default()
        };
        let by = By {
            actor: Actor::System,
            ..by
        };
        let registered = self.register(new, Grant::SharedSecret(nonce), by).await;
        registered.map_err(|error| match error {
            RegisterError::Token => SharedSecretError::Nonce,
            error => SharedSecretError::Register(error),
        })
    }
}

fn is_signed(request: &SharedSecretRegistration, shared: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, shared.as_bytes());
    let rights = if request.admin { "admin" } else { "notadmin" };
    let mut parts = vec![
        request.nonce.as_str(),
        &request.username,
        &request.password,
        rights,
    ];
    parts.extend(request.user_type.as_deref());
    let signed = Zeroizing::new(parts.join("\0"));
    let Some(mac) = from_hex(&request.mac) else {
        return false;
    };
    hmac::verify(&key, signed.as_bytes(), &mac).is_ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 40 || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

//! Passwords: Argon2id, off the executor, a few at a time.

use std::sync::{Arc, OnceLock};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use model::entropy::Entropy;
use store::StoreError;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// The shortest password, in characters.
pub const MIN_PASSWORD_CHARACTERS: usize = 8;

/// The longest password, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 512;

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// It is too short.
    #[error("a password has at least {MIN_PASSWORD_CHARACTERS} characters")]
    Short,
    /// It is too long.
    #[error("a password has at most {MAX_PASSWORD_BYTES} bytes")]
    Long,
}

/// Refuses passwords that are too easy to guess, or too long to hash.
pub(crate) fn check(password: &str) -> Result<(), WeakPassword> {
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(WeakPassword::Long);
    }
    if password.chars().count() < MIN_PASSWORD_CHARACTERS {
        return Err(WeakPassword::Short);
    }
    Ok(())
}

/// Hashes and verifies; each takes 19 MiB and some milliseconds of a core.
pub(crate) struct Passwords {
    entropy: Arc<dyn Entropy>,
    at_once: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            entropy,
            at_once: Arc::new(Semaphore::new(cores)),
        }
    }

    /// The stored form of a password.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, StoreError> {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        let password = Zeroizing::new(password.to_owned());
        self.run(move || hash_with(&password, &salt)).await?
    }

    /// Whether `password` is the one behind `stored`.
    ///
    /// Takes as long when there is none: who guesses does not learn which accounts exist.
    pub(crate) async fn verify(
        &self,
        password: &str,
        stored: Option<String>,
    ) -> Result<bool, StoreError> {
        if password.len() > MAX_PASSWORD_BYTES {
            return Ok(false);
        }
        let password = Zeroizing::new(password.to_owned());
        self.run(move || {
            let Some(stored) = stored else {
                drop(verify_against(&password, stand_in()?));
                return Ok(false);
            };
            verify_against(&password, &stored)
        })
        .await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.at_once).acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::Unavailable("this node is stopping".into()))?;
        let done = tokio::task::spawn_blocking(move || {
            // A caller that gives up does not make room before the work is over.
            let _permit = permit;
            work()
        });
        done.await
            .map_err(|_| StoreError::Refused("a password could not be hashed".into()))
    }
}

/// OWASP's parameters for Argon2id, which are this library's default: 19 MiB, 2 passes, 1 lane.
fn hash_with(password: &str, salt: &[u8; 16]) -> Result<String, StoreError> {
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), salt)
        .map_err(|error| StoreError::Refused(format!("a password cannot be hashed: {error}")))?;
    Ok(hash.to_string())
}

fn verify_against(password: &str, stored: &str) -> Result<bool, StoreError> {
    let damaged = |_| StoreError::Damaged("a stored password does not parse".into());
    let stored = PasswordHash::new(stored).map_err(damaged)?;
    Ok(Argon2::default()
        .verify_password(password.as_bytes(), &stored)
        .is_ok())
}

/// A hash to verify against where an account has none; nobody knows its password, and it would
/// not help.
fn stand_in() -> Result<&'static str, StoreError> {
    static STAND_IN: OnceLock<String> = OnceLock::new();
    if let Some(hash) = STAND_IN.get() {
        return Ok(hash);
    }
    let made = hash_with("there is no such account", &[0x43; 16])?;
    Ok(STAND_IN.get_or_init(|| made))
}

#[cfg(test)]
mod tests {
    use testkit::entropy::SeededEntropy;

    use super::*;

    #[tokio::test]
    async fn a_password_is_verified_against_its_own_hash_alone() {
        let passwords = Passwords::new(Arc::new(SeededEntropy::new(1)));
        let stored = passwords.hash("correct horse").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let verify = |password: &'static str, stored: Option<String>| {
            let passwords = &passwords;
            async move { passwords.verify(password, stored).await.unwrap() }
        };
        assert!(verify("correct horse", Some(stored.clone())).await);
        assert!(!verify("correct horsf", Some(stored)).await);
        assert!(!verify("there is no such account", None).await);
    }

    #[test]
    fn passwords_are_bounded_both_ways() {
        assert_eq!(check("1234567"), Err(WeakPassword::Short));
        assert_eq!(check("会议室密码很长吧"), Ok(()));
        assert_eq!(check(&"x".repeat(513)), Err(WeakPassword::Long));
        assert_eq!(check(&"x".repeat(512)), Ok(()));
    }
}

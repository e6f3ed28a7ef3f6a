//! The mail server: whether it lets this server in; no mail is sent.

use std::{sync::Arc, time::Duration};

use mail::{Mailer, SendError};

use super::{Findings, Scene};
use crate::node;

const CHECK: &str = "mail";

/// How long the whole conversation may take: mail servers make strangers wait.
const WITHIN: Duration = Duration::from_secs(15);

/// Greets it, encrypts, signs in, and takes its leave.
pub(super) async fn examine(scene: &Scene<'_>) -> Findings {
    let mut findings = Findings::default();
    let config = &scene.loaded.config;
    let options = match node::mail_options(config) {
        Ok(Some(options)) => options,
        // Without a mail server there is nothing to look at.
        Ok(None) => return findings,
        Err(error) => {
            findings.wrong(CHECK, format_args!("{error:#}"));
            return findings;
        }
    };
    let place = format!("{}:{}", options.host, options.port);
    let signs_in = options.credentials.is_some();
    let mailer = match Mailer::new(options, Arc::clone(&scene.surroundings.clock)) {
        Ok(mailer) => mailer,
        Err(error) => {
            findings.wrong(CHECK, format_args!("mail.host cannot be used: {error}"));
            return findings;
        }
    };
    match mailer.examine(WITHIN).await {
        Ok(()) => {
            let how = match signs_in {
                true => "greets this server and lets it sign in",
                false => "greets this server",
            };
            findings.ok(CHECK, format_args!("{place} {how}; no mail was sent"));
        }
        Err(SendError::Refused { step, why } | SendError::Later { step, why }) => {
            let says = format_args!(
                "{place} cannot be used: {why}, at {step}; check mail.host, mail.port, \
                 mail.encryption, mail.ca_file, mail.user and its password"
            );
            findings.wrong(CHECK, says);
        }
    }
    findings
}

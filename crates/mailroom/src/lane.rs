//! The lane "mail": how a letter becomes a mail.

use std::{sync::Arc, time::Duration};

use accounts::emails::{EMAIL_PROOF_LIFETIME, MailKind, WaitingMail};
use mail::{Letter as Says, Mail, MailId, Quoted, SendError};
use outbox::{Delivered, Lane, Letter};
use store::StoreError;

use crate::{mailroom::Inner, metrics};

/// The lane of mails about people's accounts. A target is a keyed hash of an address.
pub(crate) struct ToMailServer(pub(crate) Arc<Inner>);

impl Lane for ToMailServer {
    const NAME: &'static str = "mail";

    /// Shorter than what a mail says is kept.
    const PATIENCE: Duration = Duration::from_secs(20 * 60 * 60);

    const TOGETHER: u16 = 1;

    async fn deliver(&self, target: &str, letters: &[Letter]) -> Result<Delivered, StoreError> {
        let Self(inner) = self;
        let Some(letter) = letters.first() else {
            return Ok(Delivered::all(letters));
        };
        let waiting = inner.accounts.mail_for(target, letter.pos).await?;
        let Some(waiting) = waiting else {
            // It was handed on before, or is so old that it was forgotten.
            return Ok(Delivered::all(letters));
        };
        let id = waiting.id;
        let Some(mail) = inner.write(&waiting) else {
            inner.accounts.forget_mail(id).await?;
            return Ok(Delivered::all(letters));
        };
        if inner.is_too_old(&waiting) {
            metrics::mail("too_late");
            let fault = "its link is good no longer".to_owned();
            return Ok(Delivered::given_up(0, fault));
        }
        match inner.mailer.send(&mail).await {
            Ok(()) => {
                metrics::mail("sent");
                inner.accounts.forget_mail(id).await?;
                Ok(Delivered::all(letters))
            }
            Err(error @ SendError::Refused { .. }) => {
                metrics::mail("refused");
                Ok(Delivered::given_up(0, error.to_string()))
            }
            Err(error @ SendError::Later { .. }) => {
                metrics::mail("failed");
                Ok(Delivered::put_off(0, error.to_string()))
            }
        }
    }
}

impl Inner {
    /// The mail itself; none where nobody is to be written to.
    fn write(&self, waiting: &WaitingMail) -> Option<Mail> {
        let link = |token: &str| self.name.link(token);
        let (link, user_id) = match &waiting.kind {
            MailKind::AddAddress(token) | MailKind::Register(token) => (link(token), ""),
            MailKind::ResetPassword(token, user_id) => (link(token), user_id.as_str()),
            MailKind::AddressInUse(user_id)
            | MailKind::PasswordChanged(user_id)
            | MailKind::RoomInvite(user_id, _) => (String::new(), user_id.as_str()),
            MailKind::Invitation(..) => (String::new(), ""),
            MailKind::Nothing => return None,
        };
        let link = link.as_str();
        let server_url = &*self.name.public_url;
        let says = match &waiting.kind {
            MailKind::AddAddress(_) => Says::AddAddress { link },
            MailKind::Register(_) => Says::Register { link },
            MailKind::ResetPassword(..) => Says::ResetPassword { link, user_id },
            MailKind::AddressInUse(_) => Says::AddressInUse { user_id },
            MailKind::PasswordChanged(_) => Says::PasswordChanged { user_id },
            MailKind::RoomInvite(_, words) => Says::RoomInvite {
                user_id,
                name: words.inviter.as_deref().map(Quoted::new),
                room: words.room.as_deref().map(Quoted::new),
                server_url,
            },
            MailKind::Invitation(token, until) => Says::Invitation {
                token,
                until: *until,
                server_url,
            },
            MailKind::Nothing => return None,
        };
        let language = waiting.language.unwrap_or(self.name.language);
        let to = (MailId::new(&waiting.id), waiting.to.clone());
        let server_name = self.name.server_name.as_str();
        Some(says.write(to, waiting.at, language, server_name))
    }

    /// Whether a mail has waited for so long that its link is good no longer.
    fn is_too_old(&self, waiting: &WaitingMail) -> bool {
        let has_link = matches!(
            waiting.kind,
            MailKind::AddAddress(_) | MailKind::Register(_) | MailKind::ResetPassword(..)
        );
        has_link && self.clock().now().since(waiting.at) >= EMAIL_PROOF_LIFETIME
    }
}

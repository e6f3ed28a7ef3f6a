//! Mail: how it is written, and how it is handed to a mail server ([why it is made like this]).
//!
//! - [`Letter`]: what a mail says, in each language; [`Letter::write`] makes a [`Mail`] of it.
//! - [`Digest`]: a mail about what its reader has not read.
//! - [`Mailer`]: hands one mail to the operator's mail server, by SMTP.
//! - [`SendError`]: what became of it otherwise: refused for good, or to be tried again.
//!
//! Nothing that anybody chose ends a header or a command: addresses are
//! [`MailAddress`](model::mail_address::MailAddress), and all other text of headers is a [`Line`] or a
//! [`Link`].
//!
//! [why it is made like this]: ../../../docs/decisions/0007-mail.md

mod deadline;
mod digest;
mod error;
mod letter;
mod line;
mod link;
mod mail;
mod mailer;
mod opening;
mod quoted;
mod templates;
mod texts;
mod wire;

pub use digest::{Digest, Place, RoomNews};
pub use error::{SendError, Step, Why};
pub use letter::Letter;
pub use line::Line;
pub use link::Link;
pub use mail::{Mail, MailId};
pub use mailer::{BadHost, Credentials, DEADLINE, Encryption, Mailer, Options, Sender};
pub use quoted::Quoted;

//! What became of a mail that was not sent.

use std::fmt;

/// Why a mail was not sent. It names neither addresses nor what a mail server wrote, which may
/// name them: it may stand in a log.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No mail server will take this mail for this recipient, however often it is tried.
    #[error("the mail is refused for good at {step}: {why}")]
    Refused {
        /// Where.
        step: Step,
        /// What was answered.
        why: Why,
    },
    /// It may be taken later: another time, or when the operator has mended something.
    #[error("the mail cannot be sent now, at {step}: {why}")]
    Later {
        /// Where.
        step: Step,
        /// What happened.
        why: Why,
    },
}

/// How far the conversation with the mail server came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writing the mail.
    Writing,
    /// Connecting.
    Connecting,
    /// The server's greeting, and what it offers.
    Greeting,
    /// Encrypting the connection.
    Encrypting,
    /// Saying who sends.
    SigningIn,
    /// `MAIL FROM`: the sender's address.
    Sender,
    /// `RCPT TO`: the recipient's address.
    Recipient,
    /// `DATA`: the mail itself.
    Content,
}

impl Step {
    /// Whether a refusal for good at this step is of this mail, and not of all mail.
    pub(crate) const fn is_of_the_mail(self) -> bool {
        matches!(self, Self::Writing | Self::Recipient | Self::Content)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Writing => "writing it",
            Self::Connecting => "connecting",
            Self::Greeting => "the greeting",
            Self::Encrypting => "encrypting the connection",
            Self::SigningIn => "signing in to the mail server",
            Self::Sender => "the sender's address",
            Self::Recipient => "the recipient's address",
            Self::Content => "the mail itself",
        })
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The mail server answered with this code.
    Answer(u16),
    /// The mail server answered what is no answer of SMTP, or more than it was asked for.
    NoAnswer,
    /// The mail server does not offer what the configuration demands.
    NotOffered(&'static str),
    /// The connection failed.
    Connection(String),
    /// It took too long.
    TooSlow,
    /// The mail cannot be written to this address.
    Address,
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(code) => write!(formatter, "the mail server answered {code}"),
            Self::NoAnswer => formatter.write_str("the mail server answered nonsense"),
            Self::NotOffered(what) => write!(formatter, "the mail server does not offer {what}"),
            Self::Connection(error) => formatter.write_str(error),
            Self::TooSlow => formatter.write_str("the mail server took too long"),
            Self::Address => formatter.write_str("no mail can be written to such an address"),
        }
    }
}

impl SendError {
    pub(crate) fn later(step: Step, why: Why) -> Self {
        Self::Later { step, why }
    }

    /// A failure of the connection.
    pub(crate) fn broken(step: Step, error: &std::io::Error) -> Self {
        Self::later(step, Why::Connection(error.to_string()))
    }

    /// What a mail server's answer means at a step.
    pub(crate) fn answered(step: Step, code: u16) -> Self {
        let why = Why::Answer(code);
        if (500..600).contains(&code) && step.is_of_the_mail() {
            return Self::Refused { step, why };
        }
        Self::later(step, why)
    }

    /// What lettre met at a step.
    pub(crate) fn met(step: Step, error: &lettre::transport::smtp::Error) -> Self {
        if let Some(code) = error.status() {
            let code = code.to_string().parse().unwrap_or(0);
            return Self::answered(step, code);
        }
        if error.is_response() {
            return Self::later(step, Why::NoAnswer);
        }
        // What stands behind it is an error of the connection, or lettre's own sentence.
        Self::later(step, Why::Connection(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_of_the_mail_itself_is_for_good() {
        for (step, code, refused) in [
            (Step::Recipient, 550, true),
            (Step::Content, 554, true),
            (Step::Recipient, 450, false),
            (Step::Content, 421, false),
            (Step::SigningIn, 535, false),
            (Step::Sender, 550, false),
            (Step::Greeting, 554, false),
        ] {
            let error = SendError::answered(step, code);
            assert_eq!(
                matches!(error, SendError::Refused { .. }),
                refused,
                "{error}"
            );
        }
    }
}

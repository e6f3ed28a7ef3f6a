//! [`Mail`]: a mail to one person, and its bytes.

use std::time::{Duration, UNIX_EPOCH};

use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Mailbox, MultiPart, MultiPartKind, SinglePart,
        header::{Header, HeaderName, HeaderValue},
    },
};
use model::{mail_address::MailAddress, time::Timestamp};

use crate::{Line, Link, SendError, Sender, Step, Why};

/// The last moment that a header has room for: the end of the year 9999.
const LAST_MOMENT_MS: i64 = 253_402_300_799_000;

/// What tells one mail from all others, whenever and by whichever node it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailId(String);

impl MailId {
    /// Makes an id of 32 bytes that nobody can guess or repeat. They are shown to whoever sees the
    /// mail.
    pub fn new(bytes: &[u8; 32]) -> Self {
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        Self(digits.collect())
    }

    /// The id as text: 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A mail to one person. It is the same to the last byte whenever it is written, so a mail server
/// or a reader that gets it twice can tell.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Which mail.
    pub id: MailId,
    /// To whom.
    pub to: MailAddress,
    /// When it was written.
    pub at: Timestamp,
    /// What it is about.
    pub subject: Line,
    /// What it says, as plain text.
    pub text: String,
    /// The same in HTML.
    pub html: String,
    /// Where its reader ends mails of this kind, if they can.
    pub stop: Option<Link>,
}

impl Mail {
    /// The mail as it is sent, and who is told to carry it to whom.
    pub(crate) fn message(&self, sender: &Sender) -> Result<(Envelope, Vec<u8>), SendError> {
        let (from, to) = (address(&sender.address)?, address(&self.to)?);
        let envelope = Envelope::new(Some(from.clone()), vec![to.clone()]);
        let envelope = envelope.map_err(|_| unwritable())?;
        let name = Some(sender.name.as_str().trim().to_owned()).filter(|name| !name.is_empty());
        let (_, domain) = sender.address.parts();
        let id = self.id.as_str();
        let mut builder = Message::builder()
            .from(Mailbox::new(name, from))
            .to(Mailbox::new(None, to))
            .subject(self.subject.as_str())
            .date(UNIX_EPOCH + moment(self.at))
            .message_id(Some(format!("<{id}@{domain}>")))
            .header(AutoSubmitted);
        if let Some(reply_to) = &sender.reply_to {
            builder = builder.reply_to(Mailbox::new(None, address(reply_to)?));
        }
        if let Some(stop) = &self.stop {
            builder = builder
                .header(ListUnsubscribe(stop.clone()))
                .header(ListUnsubscribePost);
        }
        let parts = MultiPart::builder()
            .kind(MultiPartKind::Alternative)
            .boundary(format!("=_{}", &id[..32.min(id.len())]))
            .singlepart(SinglePart::plain(self.text.clone()))
            .singlepart(SinglePart::html(self.html.clone()));
        let message = builder.multipart(parts).map_err(|_| unwritable())?;
        Ok((envelope, message.formatted()))
    }
}

/// A moment as headers have room for it, since 1970.
pub(crate) fn moment(at: Timestamp) -> Duration {
    let millis = at.as_millis().clamp(0, LAST_MOMENT_MS);
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn address(address: &MailAddress) -> Result<Address, SendError> {
    let (local, domain) = address.parts();
    Address::new(local, domain).map_err(|_| unwritable())
}

fn unwritable() -> SendError {
    let (step, why) = (Step::Writing, Why::Address);
    SendError::Refused { step, why }
}

/// `Auto-Submitted: auto-generated` ([RFC 3834]): nobody's absence is to be told to this server.
///
/// [RFC 3834]: https://www.rfc-editor.org/rfc/rfc3834
#[derive(Clone, Copy)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// `List-Unsubscribe` ([RFC 2369]): where mails of this kind are ended.
///
/// [RFC 2369]: https://www.rfc-editor.org/rfc/rfc2369
#[derive(Clone)]
struct ListUnsubscribe(Link);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let link = text.trim_matches(['<', '>']);
        Ok(Self(Link::new(link).ok_or("this is no link")?))
    }

    fn display(&self) -> HeaderValue {
        let value = format!("<{}>", self.0.as_str());
        // A link is neither folded nor encoded, and is of visible ASCII in one line.
        HeaderValue::dangerous_new_pre_encoded(Self::name(), value.clone(), value)
    }
}

/// `List-Unsubscribe-Post` ([RFC 8058]): one request there is enough.
///
/// [RFC 8058]: https://www.rfc-editor.org/rfc/rfc8058
#[derive(Clone, Copy)]
struct ListUnsubscribePost;

impl Header for ListUnsubscribePost {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mail(subject: &str, text: &str) -> Mail {
        Mail {
            id: MailId::new(&[7; 32]),
            to: MailAddress::parse("ann@example.org").unwrap(),
            at: Timestamp::from_millis(1_700_000_000_000),
            subject: Line::new(subject),
            text: text.to_owned(),
            html: format!("<p>{text}</p>"),
            stop: None,
        }
    }

    fn sender(name: &str) -> Sender {
        Sender {
            address: MailAddress::parse("chat@example.org").unwrap(),
            name: Line::new(name),
            reply_to: Some(MailAddress::parse("help@example.org").unwrap()),
        }
    }

    fn bytes(mail: &Mail, name: &str) -> String {
        let (envelope, bytes) = mail.message(&sender(name)).unwrap();
        assert_eq!(envelope.to().len(), 1);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_mail_has_what_mail_servers_look_for_and_is_the_same_each_time() {
        let mail = mail("Hello", "a text");
        let written = bytes(&mail, "Chat of Example");
        for header in [
            "From: \"Chat of Example\" <chat@example.org>\r\n",
            "To: ann@example.org\r\n",
            "Reply-To: help@example.org\r\n",
            "Subject: Hello\r\n",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "MIME-Version: 1.0\r\n",
        ] {
            assert!(written.contains(header), "{header} is not in\n{written}");
        }
        let id = format!("Message-ID: <{}@example.org>\r\n", "07".repeat(32));
        assert!(written.contains(&id), "{written}");
        assert!(written.contains("multipart/alternative"));
        assert_eq!(written, bytes(&mail, "Chat of Example"));
    }

    #[test]
    fn mails_of_a_kind_are_ended_by_one_request() {
        let link = format!("https://chat.example.org/{}", "x".repeat(200));
        let mut mail = mail("Hello", "a text");
        mail.stop = Link::new(&link);
        let written = bytes(&mail, "Chat");
        for header in [
            format!("\r\nList-Unsubscribe: <{link}>\r\n"),
            "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n".to_owned(),
        ] {
            assert!(written.contains(&header), "{header} is not in\n{written}");
        }
    }

    proptest! {
        /// Whatever is put into a mail, it has the headers that it always has, and one recipient; and
        /// the two about ending such mails where there is a link for that.
        #[test]
        fn nothing_that_is_put_into_a_mail_makes_a_header(
            subject in "[\r\n\u{85}\u{2028}:<>@\"ABcc世 ]{0,60}|.{0,40}",
            name in "[\r\n\u{85}\u{2028}:<>@\",ABcc世 ]{0,60}|.{0,40}",
            text in "(\r\n\\.\r\n|\nBcc: e@x.org\n|.){0,10}",
            stop in "https://[\r\n :<>,ABcc世]{0,9}|https://[a-z/?=&.]{0,990}",
        ) {
            let mut mail = mail(&subject, &text);
            mail.stop = Link::new(&stop);
            let written = bytes(&mail, &name);
            let (head, _) = written.split_once("\r\n\r\n").unwrap();
            let mut names: Vec<&str> = head
                .split("\r\n")
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split_once(':').unwrap().0)
                .collect();
            names.sort_unstable();
            let mut expected = vec![
                "Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-ID",
                "Reply-To", "Subject", "To",
            ];
            if mail.stop.is_some() {
                expected.extend(["List-Unsubscribe", "List-Unsubscribe-Post"]);
                expected.sort_unstable();
            }
            prop_assert_eq!(names, expected);
            prop_assert!(!head.replace("\r\n", "").contains(['\r', '\n']));
        }
    }
}

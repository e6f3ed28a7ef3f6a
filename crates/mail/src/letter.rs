//! [`Letter`]: what a mail says.

use std::sync::OnceLock;

use minijinja::{AutoEscape, Environment, Value, context};
use model::{language::Language, mail_address::MailAddress, time::Timestamp};

use crate::{
    Line, Mail, MailId,
    texts::{LetterTexts, Texts, texts_in},
};

const TEXT: &str = include_str!("../templates/letter.txt");
const HTML: &str = include_str!("../templates/letter.html");
const DIGEST_TEXT: &str = include_str!("../templates/digest.txt");
const DIGEST_HTML: &str = include_str!("../templates/digest.html");

/// What a mail says. What is named in it was chosen by the server or by the reader, not by whoever
/// caused it: nobody sends words of their own through this server. (A [`Digest`](crate::Digest) has
/// to name rooms and people: those names are [`Quoted`](crate::Quoted).)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letter<'a> {
    /// Asks whether the reader adds their address to an account.
    AddAddress {
        /// Where they say so.
        link: &'a str,
    },
    /// Asks whether the reader makes an account with their address.
    Register {
        /// Where they say so.
        link: &'a str,
    },
    /// Asks whether the reader wants a new password.
    ResetPassword {
        /// Where they say so.
        link: &'a str,
        /// Their account.
        user_id: &'a str,
    },
    /// Tells that the reader's address belongs to an account already.
    AddressInUse {
        /// That account.
        user_id: &'a str,
    },
    /// Tells that the reader's password was changed.
    PasswordChanged {
        /// Their account.
        user_id: &'a str,
    },
}

impl Letter<'_> {
    /// Writes the letter to somebody, in a language, in the name of a server.
    pub fn write(
        self,
        (id, to): (MailId, MailAddress),
        at: Timestamp,
        language: Language,
        server_name: &str,
    ) -> Mail {
        let texts = texts_in(language);
        let (letter, link, user_id) = self.parts(texts);
        let filled = |text: &str| {
            // The user's id last: it is not looked through for places of the server's name.
            let text = text.replace("{server}", server_name);
            text.replace("{user}", user_id)
        };
        let title = filled(letter.title);
        let subject = Line::new(&title);
        let paragraphs = letter.paragraphs.iter().map(|text| filled(text));
        let values = context! {
            title => &title,
            paragraphs => paragraphs.collect::<Vec<_>>(),
            link,
            button => letter.button,
            hour => texts.hour,
            instead => texts.instead,
            footer => filled(texts.footer),
            language => language.tag(),
        };
        Mail {
            id,
            to,
            at,
            subject,
            text: render("letter.txt", &values),
            html: render("letter.html", &values),
            stop: None,
        }
    }

    fn parts(&self, texts: &'static Texts) -> (&'static LetterTexts, Option<&str>, &str) {
        match self {
            Self::AddAddress { link } => (&texts.add_address, Some(link), ""),
            Self::Register { link } => (&texts.register, Some(link), ""),
            Self::ResetPassword { link, user_id } => (&texts.reset_password, Some(link), user_id),
            Self::AddressInUse { user_id } => (&texts.address_in_use, None, user_id),
            Self::PasswordChanged { user_id } => (&texts.password_changed, None, user_id),
        }
    }
}

/// Renders a template; tests render all of them.
pub(crate) fn render(name: &str, values: &Value) -> String {
    static TEMPLATES: OnceLock<Environment<'static>> = OnceLock::new();
    let templates = TEMPLATES.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|name| match name.ends_with(".html") {
            true => AutoEscape::Html,
            false => AutoEscape::None,
        });
        for (name, source) in [
            ("letter.txt", TEXT),
            ("letter.html", HTML),
            ("digest.txt", DIGEST_TEXT),
            ("digest.html", DIGEST_HTML),
        ] {
            environment
                .add_template(name, source)
                .expect("a test renders every template");
        }
        environment
    });
    let template = templates.get_template(name);
    let template = template.expect("a test renders every template");
    template
        .render(values)
        .expect("a test renders every template")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://chat.example.org/_conclave/mail?token=abc&x=1";

    fn written(letter: Letter<'_>, language: Language) -> Mail {
        let to = MailAddress::parse("ann@example.org").unwrap();
        let id = MailId::new(&[1; 32]);
        letter.write((id, to), Timestamp::default(), language, "example.org")
    }

    #[test]
    fn every_letter_says_in_each_language_what_it_is_about() {
        let user_id = "@ann:example.org";
        for language in [Language::English, Language::SimplifiedChinese] {
            for (letter, has_link, has_user) in [
                (Letter::AddAddress { link: LINK }, true, false),
                (Letter::Register { link: LINK }, true, false),
                (
                    Letter::ResetPassword {
                        link: LINK,
                        user_id,
                    },
                    true,
                    true,
                ),
                (Letter::AddressInUse { user_id }, false, true),
                (Letter::PasswordChanged { user_id }, false, true),
            ] {
                let mail = written(letter, language);
                for text in [&mail.text, &mail.html] {
                    assert!(text.contains("example.org"), "{text}");
                    assert!(
                        !text.contains("{server}") && !text.contains("{user}"),
                        "{text}"
                    );
                    assert_eq!(text.contains(user_id), has_user, "{text}");
                }
                assert_eq!(mail.text.contains(LINK), has_link, "{}", mail.text);
                let shown = mail.html.contains("token=abc&amp;x=1");
                assert_eq!(shown, has_link, "{}", mail.html);
                let chinese = mail.text.contains('请') || mail.text.contains('您');
                assert_eq!(chinese, language == Language::SimplifiedChinese);
                assert!(mail.subject.as_str().contains("example.org"));
            }
        }
    }

    #[test]
    fn what_stands_in_a_letter_is_text_and_not_markup() {
        let user_id = "@<b>ann</b>{server}:example.org";
        let mail = written(Letter::PasswordChanged { user_id }, Language::English);
        assert!(!mail.html.contains("<b>"), "{}", mail.html);
        assert!(mail.text.contains(user_id), "{}", mail.text);
    }
}

//! [`Letter`]: what a mail says.

use std::time::SystemTime;

use minijinja::context;
use model::{language::Language, mail_address::MailAddress, time::Timestamp};

use crate::{
    Mail, MailId, Quoted,
    mail::moment,
    templates::mail_of,
    texts::{LetterTexts, Texts, texts_in},
};

/// What a mail says. What is named in it was chosen by the server or by the reader, not by whoever
/// caused it: nobody sends words of their own through this server. (An invitation, like a
/// [`Digest`](crate::Digest), has to name rooms and people: those names are [`Quoted`].)
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Tells that somebody invites the reader, who is known by their address alone, into a room.
    RoomInvite {
        /// Who.
        user_id: &'a str,
        /// How they are called.
        name: Option<Quoted>,
        /// How the room is called.
        room: Option<Quoted>,
        /// Where the server is reached.
        server_url: &'a str,
    },
    /// Invites the reader to make an account.
    Invitation {
        /// With what they register.
        token: &'a str,
        /// How long it is good, if there is an end to it.
        until: Option<Timestamp>,
        /// Where the server is reached.
        server_url: &'a str,
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
        let (letter, link, mut named) = self.parts(texts);
        named.push(("server", server_name.to_owned()));
        let filled = |text: &str| fill(text, &named);
        let title = filled(letter.title);
        let paragraphs = letter.paragraphs.iter().map(|text| filled(text));
        let values = context! {
            paragraphs => paragraphs.collect::<Vec<_>>(),
            link,
            button => letter.button,
            hour => texts.hour,
            instead => texts.instead,
            footer => filled(texts.footer),
            language => language.tag(),
        };
        mail_of("letter", (id, to), at, (&title, values), None)
    }

    /// Its texts, its link, and what is named in it.
    fn parts(&self, texts: &'static Texts) -> (&'static LetterTexts, Option<&str>, Named) {
        let user = |user_id: &str| vec![("user", user_id.to_owned())];
        match self {
            Self::AddAddress { link } => (&texts.add_address, Some(link), vec![]),
            Self::Register { link } => (&texts.register, Some(link), vec![]),
            Self::ResetPassword { link, user_id } => {
                (&texts.reset_password, Some(link), user(user_id))
            }
            Self::AddressInUse { user_id } => (&texts.address_in_use, None, user(user_id)),
            Self::PasswordChanged { user_id } => (&texts.password_changed, None, user(user_id)),
            Self::RoomInvite {
                user_id,
                name,
                room,
                server_url,
            } => {
                let called = |name: &Quoted| format!("{} ({user_id})", name.as_str());
                let inviter = name.as_ref().map_or((*user_id).to_owned(), called);
                let room = room.as_ref().map(|room| room.as_str().to_owned());
                let named_room = |room| fill(texts.room, &[("room", room)]);
                let named = vec![
                    ("inviter", inviter),
                    ("room", room.map_or(texts.some_room.to_owned(), named_room)),
                    ("url", (*server_url).to_owned()),
                ];
                (&texts.room_invite, None, named)
            }
            Self::Invitation {
                token,
                until,
                server_url,
            } => {
                let until = until.map(|until| fill(texts.until, &[("date", date_of(until))]));
                let named = vec![
                    ("token", (*token).to_owned()),
                    ("until", until.unwrap_or_default()),
                    ("url", (*server_url).to_owned()),
                ];
                (&texts.invitation, None, named)
            }
        }
    }
}

/// What stands for the places of a text, by their names.
type Named = Vec<(&'static str, String)>;

/// Fills the places of a text, each `{name}`; what fills one is not looked through for others.
pub(crate) fn fill(text: &str, named: &[(&'static str, String)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        let value = named.iter().find(|(known, _)| *known == name);
        filled.push_str(value.map_or("", |(_, value)| value));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// A moment as people read it, to the minute.
fn date_of(at: Timestamp) -> String {
    let date = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + moment(at)).to_string();
    let (day, time) = date.split_once('T').unwrap_or_default();
    format!("{day} {} UTC", time.get(..5).unwrap_or_default())
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
                (room_invite(user_id), false, true),
                (INVITATION, false, false),
            ] {
                let mail = written(letter, language);
                for text in [&mail.text, &mail.html] {
                    assert!(text.contains("example.org"), "{text}");
                    assert!(!text.contains(['{', '}']), "{text}");
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

    const INVITATION: Letter<'_> = Letter::Invitation {
        token: "abcd2345",
        until: Some(Timestamp::from_millis(1_796_000_000_000)),
        server_url: "https://chat.example.org",
    };

    fn room_invite(user_id: &str) -> Letter<'_> {
        Letter::RoomInvite {
            user_id,
            name: Some(Quoted::new("Ann")),
            room: Some(Quoted::new("Kitchen")),
            server_url: "https://chat.example.org",
        }
    }

    #[test]
    fn an_invitation_names_who_invites_and_where_to() {
        let user_id = "@ann:example.org";
        let mail = written(room_invite(user_id), Language::English);
        let said = "“Ann” (@ann:example.org) invites you to the room “Kitchen” on example.org.";
        assert!(mail.text.contains(said), "{}", mail.text);
        assert!(mail.text.contains("https://chat.example.org"));
        assert!(!mail.subject.as_str().contains("Kitchen"));
        let mail = written(room_invite(user_id), Language::SimplifiedChinese);
        let said = "“Ann” (@ann:example.org) 邀请您加入 example.org 上的聊天室“Kitchen”。";
        assert!(mail.text.contains(said), "{}", mail.text);
        let unnamed = Letter::RoomInvite {
            user_id,
            name: None,
            room: None,
            server_url: "https://chat.example.org",
        };
        let mail = written(unnamed, Language::English);
        let said = "\n@ann:example.org invites you to a room on example.org.";
        assert!(mail.text.contains(said), "{}", mail.text);
    }

    #[test]
    fn an_invitation_carries_its_token_and_says_how_long_it_is_good() {
        for language in [Language::English, Language::SimplifiedChinese] {
            let mail = written(INVITATION, language);
            for text in [&mail.text, &mail.html] {
                assert!(text.contains("abcd2345"), "{text}");
                assert!(text.contains("2026-11-30 00:53 UTC"), "{text}");
            }
            let reached_at = "https://chat.example.org";
            assert!(mail.text.contains(reached_at), "{}", mail.text);
        }
    }

    #[test]
    fn names_are_not_looked_through_for_places() {
        let invite = Letter::RoomInvite {
            user_id: "@ann:example.org",
            name: Some(Quoted::new("{room} {server}")),
            room: Some(Quoted::new("{user} <b>")),
            server_url: "https://chat.example.org",
        };
        let mail = written(invite, Language::English);
        assert!(mail.text.contains("“{room} {server}”"), "{}", mail.text);
        assert!(mail.text.contains("“{user} <b>”"), "{}", mail.text);
        assert!(!mail.html.contains("<b>"), "{}", mail.html);
    }

    #[test]
    fn what_stands_in_a_letter_is_text_and_not_markup() {
        let user_id = "@<b>ann</b>{server}:example.org";
        let mail = written(Letter::PasswordChanged { user_id }, Language::English);
        assert!(!mail.html.contains("<b>"), "{}", mail.html);
        assert!(mail.text.contains(user_id), "{}", mail.text);
    }
}

//! [`Digest`]: what somebody has not read.

use minijinja::context;
use model::{language::Language, mail_address::MailAddress, time::Timestamp};

use crate::{
    Link, Mail, MailId, Quoted,
    letter::fill,
    templates::mail_of,
    texts::{DigestTexts, texts_in},
};

/// Tells somebody where they have not read what notifies them: the rooms, and how much. Never what
/// was said, because mail is not encrypted.
#[derive(Clone, Debug)]
pub struct Digest {
    /// The reader's account.
    pub user_id: String,
    /// Where these mails are ended.
    pub stop: String,
    /// The rooms, as they are listed.
    pub rooms: Vec<RoomNews>,
    /// How many rooms are not listed.
    pub more: usize,
}

/// What is new in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomNews {
    /// Events that notify the reader, which they have not read.
    Unread(Place, u64),
    /// Somebody asks them into the room.
    Invited(Place, Quoted),
}

/// How a room is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// By its name.
    Named(Quoted),
    /// It has none, and this person is in it.
    With(Quoted),
    /// It has none, and nobody else is in it.
    Nameless,
}

impl Digest {
    /// Writes the mail to somebody, in a language, in the name of a server.
    pub fn write(
        &self,
        (id, to): (MailId, MailAddress),
        at: Timestamp,
        language: Language,
        server_name: &str,
    ) -> Mail {
        let all = texts_in(language);
        let texts = &all.digest;
        let named = [
            ("server", server_name.to_owned()),
            ("user", self.user_id.clone()),
        ];
        let filled = |text: &str| fill(text, &named);
        let title = filled(texts.title);
        let mut rooms: Vec<String> = self.rooms.iter().map(|room| line(texts, room)).collect();
        match self.more {
            0 => {}
            1 => rooms.push(texts.one_more.to_owned()),
            more => rooms.push(fill(texts.more, &[("count", more.to_string())])),
        }
        let values = context! {
            intro => filled(texts.intro),
            rooms,
            unsaid => filled(texts.unsaid),
            why => texts.why,
            button => texts.stop,
            link => &self.stop,
            footer => filled(all.footer),
            language => language.tag(),
        };
        let stop = Link::new(&self.stop);
        mail_of("digest", (id, to), at, (&title, values), stop)
    }
}

fn line(texts: &DigestTexts, room: &RoomNews) -> String {
    match room {
        RoomNews::Unread(place, count) => {
            let text = match count {
                1 => texts.one_unread,
                _ => texts.unread,
            };
            let place = ("place", called(texts, place));
            fill(text, &[place, ("count", count.to_string())])
        }
        RoomNews::Invited(place, by) => {
            let place = ("place", called(texts, place));
            fill(texts.invited, &[place, ("by", by.as_str().to_owned())])
        }
    }
}

fn called(texts: &DigestTexts, place: &Place) -> String {
    match place {
        Place::Named(name) => name.as_str().to_owned(),
        Place::With(name) => fill(texts.with, &[("name", name.as_str().to_owned())]),
        Place::Nameless => texts.nameless.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOP: &str = "https://chat.example.org/_conclave/mail/stop?token=cnv_n_7_abc&x=1";

    fn written(rooms: Vec<RoomNews>, more: usize, language: Language) -> Mail {
        let digest = Digest {
            user_id: "@ann:example.org".to_owned(),
            stop: STOP.to_owned(),
            rooms,
            more,
        };
        let to = MailAddress::parse("ann@example.org").unwrap();
        let id = MailId::new(&[1; 32]);
        digest.write((id, to), Timestamp::default(), language, "example.org")
    }

    fn rooms() -> Vec<RoomNews> {
        let name = Quoted::new;
        vec![
            RoomNews::Unread(Place::Named(name("Kitchen {by}")), 1),
            RoomNews::Unread(Place::With(name("Ben")), 31),
            RoomNews::Unread(Place::Nameless, 2),
            RoomNews::Invited(Place::Named(name("Den {by}")), name("Carl {place}")),
        ]
    }

    #[test]
    fn a_digest_says_where_and_how_much_in_each_language() {
        let english = written(rooms(), 1, Language::English);
        for sentence in [
            "“Kitchen {by}”: 1 unread message\n",
            "Conversation with “Ben”: 31 unread messages\n",
            "A room without a name: 2 unread messages\n",
            "“Carl {place}” invites you to “Den {by}”\n",
            "And 1 more room\n",
            STOP,
            "@ann:example.org",
        ] {
            let text = &english.text;
            assert!(text.contains(sentence), "{sentence} is not in\n{text}");
        }
        assert_eq!(english.subject.as_str(), "Unread messages on example.org");
        assert_eq!(english.stop, Link::new(STOP));
        let chinese = written(rooms(), 4, Language::SimplifiedChinese);
        for sentence in [
            "与“Ben”的对话：31 条未读消息\n",
            "“Carl {place}”邀请您加入“Den {by}”\n",
            "以及另外 4 个聊天室\n",
        ] {
            let text = &chinese.text;
            assert!(text.contains(sentence), "{sentence} is not in\n{text}");
        }
        for mail in [english, chinese] {
            assert!(mail.html.contains("token=cnv_n_7_abc&amp;x=1"));
            assert!(!mail.text.contains("{server}") && !mail.html.contains("{user}"));
        }
    }

    #[test]
    fn a_name_is_no_markup() {
        let name = Quoted::new("<b>&amp;</b><img src=x>");
        let room = RoomNews::Invited(Place::Named(name.clone()), name);
        let mail = written(vec![room], 0, Language::English);
        assert!(!mail.html.contains("<b>") && !mail.html.contains("<img"));
        assert!(mail.html.contains("&lt;b&gt;&amp;amp;"), "{}", mail.html);
    }
}

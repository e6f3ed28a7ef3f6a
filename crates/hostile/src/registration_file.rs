//! Registration files of application services, which bridges write and people change.

use appservices::{Appservice, Appservices, BadRegistration};
use ruma::{RoomAliasId, RoomId, UserId, server_name};
use serde::Deserialize;

use crate::plain_pattern::describes;

/// What `<secret>` stands for: no text of a file is ever shown, and this is told from all else.
const SECRET: &str = "h8Zk2vQwXr5TbN1yLcJ7";

/// What is between the names and the files, and between two files.
const BETWEEN: &str = "\n%\n";

const FILES: [&str; 4] = ["0.yaml", "1.yaml", "2.yaml", "3.yaml"];

/// How many names are asked for.
const MOST_NAMES: usize = 16;

/// The longest sentence about a file.
const LONGEST_BYTES: usize = 300;

/// Names of users, aliases and rooms, one a line; then registration files, with a line `%` before
/// each.
///
/// Nothing panics. A refusal is a line of its own, names a file and a line in it, and shows no text
/// of it. What is accepted is what a plain reading of the files says, and the same when it is
/// written anew: nothing that one service has alone is another's too, and a name belongs to those
/// whose expressions describe it.
pub fn registration_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let text = text.replace("<secret>", SECRET);
    let mut parts = text.split(BETWEEN);
    let names: Vec<&str> = parts.next().unwrap().lines().take(MOST_NAMES).collect();
    let texts: Vec<String> = parts.take(FILES.len()).map(str::to_owned).collect();
    let services = match parse(&texts) {
        Ok(services) => services,
        Err(refusals) => {
            assert!(!refusals.is_empty());
            for refusal in refusals {
                says_where(&refusal, &texts);
            }
            return;
        }
    };
    let plain: Vec<Plain> = texts
        .iter()
        .map(|text| serde_saphyr::from_str(text).unwrap())
        .collect();
    are_as_written(&services, &plain);
    share_nothing(&services, &plain);
    belong(&services, &plain, &names);
    let written: Vec<String> = services.iter().zip(&plain).map(written).collect();
    let again = parse(&written).unwrap();
    are_as_written(&again, &plain);
    for (service, other) in services.iter().zip(again.iter()) {
        assert_eq!(service.url(), other.url());
    }
    belong(&again, &plain, &names);
}

fn parse(texts: &[String]) -> Result<Appservices, Vec<BadRegistration>> {
    let files = FILES.into_iter().zip(texts.iter().map(String::as_str));
    Appservices::parse(files, server_name!("localhost")).map_err(|refused| refused.0)
}

fn says_where(refusal: &BadRegistration, texts: &[String]) {
    let told = refusal.to_string();
    let file = FILES.iter().position(|name| refusal.file == **name);
    let text = &texts[file.unwrap()];
    let lines = text
        .chars()
        .filter(|letter| matches!(letter, '\n' | '\r'))
        .count()
        + 1;
    let line = refusal.line.and_then(|line| usize::try_from(line).ok());
    assert!(
        (1..=lines).contains(&line.expect("it has a line")),
        "{told}"
    );
    assert!(!told.contains(SECRET), "{told}");
    assert!(!told.contains(char::is_control), "{told:?}");
    assert!(told.len() <= LONGEST_BYTES, "{told}");
}

/// A registration, as anybody would read it.
#[derive(Deserialize)]
struct Plain {
    id: String,
    url: Option<String>,
    as_token: String,
    hs_token: String,
    sender_localpart: String,
    namespaces: Option<Namespaces>,
    rate_limited: Option<bool>,
    protocols: Option<Vec<String>>,
    receive_ephemeral: Option<bool>,
    push_ephemeral: Option<bool>,
    #[serde(rename = "de.sorunome.msc2409.push_ephemeral")]
    msc2409_push_ephemeral: Option<bool>,
    #[serde(rename = "org.matrix.msc3202")]
    msc3202: Option<bool>,
}

#[derive(Deserialize)]
struct Namespaces {
    users: Option<Vec<Namespace>>,
    aliases: Option<Vec<Namespace>>,
    rooms: Option<Vec<Namespace>>,
}

#[derive(Deserialize)]
struct Namespace {
    regex: String,
    #[serde(default)]
    exclusive: bool,
}

impl Plain {
    fn namespaces(&self, kind: fn(&Namespaces) -> &Option<Vec<Namespace>>) -> &[Namespace] {
        let namespaces = self.namespaces.as_ref();
        let of_kind = namespaces.and_then(|namespaces| kind(namespaces).as_deref());
        of_kind.unwrap_or_default()
    }

    fn users(&self) -> &[Namespace] {
        self.namespaces(|namespaces| &namespaces.users)
    }

    fn aliases(&self) -> &[Namespace] {
        self.namespaces(|namespaces| &namespaces.aliases)
    }

    fn rooms(&self) -> &[Namespace] {
        self.namespaces(|namespaces| &namespaces.rooms)
    }

    fn sender(&self) -> String {
        format!("@{}:localhost", self.sender_localpart)
    }

    fn is_ephemeral(&self) -> bool {
        let said = [
            self.receive_ephemeral,
            self.push_ephemeral,
            self.msc2409_push_ephemeral,
        ];
        said.contains(&Some(true))
    }
}

fn are_as_written(services: &Appservices, plain: &[Plain]) {
    assert_eq!(services.iter().count(), plain.len());
    assert_eq!(services.is_empty(), plain.is_empty());
    for (service, plain) in services.iter().zip(plain) {
        assert_eq!(service.id(), plain.id);
        assert_eq!(service.hs_token(), plain.hs_token);
        assert_eq!(service.sender().as_str(), plain.sender());
        assert!(service.protocols().eq(plain.protocols.iter().flatten()));
        assert_eq!(service.is_rate_limited(), plain.rate_limited == Some(true));
        assert_eq!(service.wants_ephemeral(), plain.is_ephemeral());
        assert_eq!(service.wants_device_data(), plain.msc3202 == Some(true));
        assert_eq!(service.has_aliases(), !plain.aliases().is_empty());
        let url = plain.url.as_deref().filter(|url| !url.is_empty());
        assert_eq!(service.url().is_some(), url.is_some());
        assert_eq!(services.by_id(&plain.id), Some(service));
        assert_eq!(services.by_token(&plain.as_token), Some(service));
        assert_eq!(services.by_token(&format!("{} ", plain.as_token)), None);
        let shown = format!("{service:?}");
        assert!(plain.id.contains(SECRET) || !shown.contains(SECRET));
    }
}

/// What two services cannot both have, as it stands in the files.
fn share_nothing(services: &Appservices, plain: &[Plain]) {
    let exclusive = |namespaces: &[Namespace]| -> Vec<String> {
        let exclusive = namespaces.iter().filter(|namespace| namespace.exclusive);
        exclusive.map(|namespace| namespace.regex.clone()).collect()
    };
    for (index, one) in plain.iter().enumerate() {
        for other in &plain[index + 1..] {
            assert_ne!(one.id, other.id);
            assert_ne!(one.as_token, other.as_token);
            assert_ne!(one.hs_token, other.hs_token);
            assert_ne!(one.sender_localpart, other.sender_localpart);
            for kind in [Plain::users, Plain::aliases] {
                let others = exclusive(kind(other));
                assert!(
                    !exclusive(kind(one))
                        .iter()
                        .any(|text| others.contains(text))
                );
            }
        }
    }
    for service in services.iter() {
        let owners = services.iter().filter(|other| other.owns(service.sender()));
        assert!(owners.eq([service]));
        assert_eq!(services.owner_of(service.sender()), Some(service));
    }
}

/// Whose names are, compared with a plain reading of the expressions.
fn belong(services: &Appservices, plain: &[Plain], names: &[&str]) {
    for name in names {
        if let Ok(user_id) = UserId::parse(name) {
            let is_here = user_id.server_name() == "localhost";
            for (service, plain) in services.iter().zip(plain) {
                let is_sender = plain.sender() == user_id;
                let has = |is_meant| {
                    let claims = claims(plain.users(), name, is_meant)?;
                    Some(is_sender || is_here && claims)
                };
                assert_is(service.acts_for(&user_id), has(false), name);
                assert_is(service.owns(&user_id), has(true), name);
            }
            let first = services.iter().find(|service| service.owns(&user_id));
            assert_eq!(services.owner_of(&user_id), first, "{name}");
        }
        if let Ok(alias) = RoomAliasId::parse(name) {
            for (service, plain) in services.iter().zip(plain) {
                let has = |is_meant| claims(plain.aliases(), name, is_meant);
                assert_is(service.claims_alias(&alias), has(false), name);
                assert_is(service.owns_alias(&alias), has(true), name);
            }
            let first = services.iter().find(|service| service.owns_alias(&alias));
            assert_eq!(services.owner_of_alias(&alias), first, "{name}");
        }
        if let Ok(room_id) = RoomId::parse(name) {
            for (service, plain) in services.iter().zip(plain) {
                let has = claims(plain.rooms(), name, false);
                assert_is(service.claims_room(&room_id), has, name);
            }
        }
    }
}

/// Whether one of the expressions describes a name; of those alone that are exclusive, if that is
/// asked. Nothing where one of them cannot be read plainly.
fn claims(namespaces: &[Namespace], name: &str, is_exclusive: bool) -> Option<bool> {
    let mut claims = false;
    for namespace in namespaces {
        if namespace.exclusive || !is_exclusive {
            claims |= describes(&namespace.regex, name)?;
        }
    }
    Some(claims)
}

fn assert_is(told: bool, plain: Option<bool>, name: &str) {
    assert!(plain.is_none_or(|plain| plain == told), "{name}: {told}");
}

/// A file that says the same in other words: without comments, aliases, unknown keys and blocks.
fn written((service, plain): (&Appservice, &Plain)) -> String {
    let url = service
        .url()
        .map_or("null".to_owned(), |url| quoted(url.as_str()));
    let all = |namespaces: &[Namespace]| {
        let each = namespaces.iter().map(|Namespace { regex, exclusive }| {
            format!("{{ regex: {}, exclusive: {exclusive} }}", quoted(regex))
        });
        each.collect::<Vec<_>>().join(", ")
    };
    let protocols = service.protocols().map(quoted).collect::<Vec<_>>();
    format!(
        "namespaces:\n  rooms: [{}]\n  aliases: [{}]\n  users: [{}]\n\
         org.matrix.msc3202: {}\nreceive_ephemeral: {}\nrate_limited: {}\nprotocols: [{}]\n\
         sender_localpart: {}\nhs_token: {}\nas_token: {}\nurl: {url}\nid: {}\n",
        all(plain.rooms()),
        all(plain.aliases()),
        all(plain.users()),
        service.wants_device_data(),
        service.wants_ephemeral(),
        service.is_rate_limited(),
        protocols.join(", "),
        quoted(service.sender().localpart()),
        quoted(service.hs_token()),
        quoted(&plain.as_token),
        quoted(service.id()),
    )
}

/// A text within quotation marks, whatever is in it.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter == ' ' || letter.is_ascii_graphic();
    let written = text.chars().map(|letter| match letter {
        '"' | '\\' => format!("\\{letter}"),
        letter if plain(letter) => letter.to_string(),
        letter => format!("\\U{:08X}", u32::from(letter)),
    });
    format!("\"{}\"", written.collect::<String>())
}

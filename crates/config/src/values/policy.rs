//! Policies: documents that people agree to, in several languages.

use std::collections::BTreeMap;

use super::{PageUrl, Raw, Rejection, Value, quoted};

/// The longest id, version or name of a language.
const LONGEST_NAME: usize = 64;

/// The longest title.
const LONGEST_TITLE: usize = 255;

/// The language in which every policy can be read.
const ENGLISH: &str = "en";

/// A document that who registers agrees to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What it is called among the others.
    pub id: String,
    /// Which version it is.
    pub version: String,
    /// Its title and address, by language.
    pub languages: BTreeMap<String, PolicyText>,
}

/// A policy in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyText {
    /// Its title.
    pub name: String,
    /// Where it is read.
    pub url: PageUrl,
}

/// A table of the file, of which each key is taken once.
struct Table<'a> {
    entries: &'a [(String, Raw, usize)],
    known: &'static [&'static str],
}

impl Table<'_> {
    /// Refuses keys that nobody knows.
    fn checked<'a>(raw: &'a Raw, known: &'static [&'static str]) -> Result<Table<'a>, Rejection> {
        let Raw::Table(entries) = raw else {
            let kind = raw.kind();
            return Err(Rejection::new(format!(
                "is {kind}, not a table in the file"
            )));
        };
        for (key, value, offset) in entries {
            if !known.contains(&key.as_str()) {
                let known = known.join(", ");
                let reason = format!("has a key `{key}`, and only {known} are known");
                return Err(Rejection::new(reason).at(value, *offset).of_whole());
            }
        }
        Ok(Table { entries, known })
    }

    fn get<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Raw) -> Result<T, Rejection>,
    ) -> Result<T, Rejection> {
        debug_assert!(self.known.contains(&key));
        let found = self.entries.iter().find(|(name, ..)| name == key);
        let Some((_, value, offset)) = found else {
            return Err(Rejection::new(format!("has no `{key}`")));
        };
        read(value).map_err(|why| why.at(value, *offset))
    }
}

impl Value for Policy {
    fn accepts() -> String {
        "a table such as { id = \"privacy\", version = \"1\", languages = { en = { name = \
         \"Privacy policy\", url = \"https://example.org/privacy\" } } }"
            .to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let table = Table::checked(raw, &["id", "version", "languages"])?;
        Ok(Self {
            id: table.get("id", plain_name)?,
            version: table.get("version", |raw| text(raw, LONGEST_NAME))?,
            languages: table.get("languages", languages)?,
        })
    }

    fn show(&self) -> String {
        let languages = self.languages.iter().map(|(language, text)| {
            let (language, name) = (quoted(language), quoted(&text.name));
            let url = text.url.show();
            format!("{language} = {{ name = {name}, url = {url} }}")
        });
        let languages: Vec<String> = languages.collect();
        let (id, version) = (quoted(&self.id), quoted(&self.version));
        let languages = languages.join(", ");
        format!("{{ id = {id}, version = {version}, languages = {{ {languages} }} }}")
    }
}

fn languages(raw: &Raw) -> Result<BTreeMap<String, PolicyText>, Rejection> {
    let Raw::Table(entries) = raw else {
        let kind = raw.kind();
        return Err(Rejection::new(format!(
            "is {kind}, not a table of languages"
        )));
    };
    let mut languages = BTreeMap::new();
    for (language, value, offset) in entries {
        if !is_language(language) {
            let reason = format!("names `{}`, which is no language", language.escape_debug());
            return Err(Rejection::new(reason).at(value, *offset).of_whole());
        }
        let read = policy_text(value).map_err(|why| why.at(value, *offset));
        languages.insert(language.clone(), read?);
    }
    match languages.contains_key(ENGLISH) {
        true => Ok(languages),
        false => Err(Rejection::new(
            "has no `en`: every policy can be read in English",
        )),
    }
}

fn policy_text(raw: &Raw) -> Result<PolicyText, Rejection> {
    let table = Table::checked(raw, &["name", "url"])?;
    Ok(PolicyText {
        name: table.get("name", |raw| text(raw, LONGEST_TITLE))?,
        url: table.get("url", PageUrl::parse)?,
    })
}

/// A name that stands in addresses and on record.
fn plain_name(raw: &Raw) -> Result<String, Rejection> {
    let name = text(raw, LONGEST_NAME)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    match name.bytes().all(is_plain) {
        true => Ok(name),
        false => Err(Rejection::new(
            "has more than letters, digits, `_`, `-` and `.`",
        )),
    }
}

fn text(raw: &Raw, most: usize) -> Result<String, Rejection> {
    let text = raw.text()?;
    if text.trim().is_empty() || text.len() > most || text.chars().any(char::is_control) {
        let reason = format!("is not text of 1 to {most} bytes in one line");
        return Err(Rejection::new(reason));
    }
    Ok(text.to_owned())
}

/// A tag of RFC 5646, or one with underscores. Beside the languages stands the version, where
/// clients read them, so none is called so.
fn is_language(name: &str) -> bool {
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let mut parts = name.split(['-', '_']);
    let first = parts.next().unwrap_or_default();
    let is_first =
        (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_first && name.len() <= LONGEST_NAME && parts.all(is_part)
}

impl Rejection {
    /// Names the part of the value that is at fault, unless a smaller one is named already.
    fn at(self, part: &Raw, offset: usize) -> Self {
        match self.offset {
            Some(_) => self,
            None => Self {
                part: Some(part.clone()),
                offset: Some(offset),
                ..self
            },
        }
    }

    /// Speaks of the value as a whole, at the place that was named.
    fn of_whole(self) -> Self {
        let part = Some(Raw::Unfit("a table"));
        Self { part, ..self }
    }
}

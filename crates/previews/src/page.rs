//! Reads what a page says of itself: pure, in time that grows with its length alone.
//!
//! The page is split into tags and text as the HTML standard says, and no tree is made of it: what
//! is looked for stands in tags of their own, however they are nested. `html5gum` does the splitting:
//! it passes the tests of the standard, has no unsafe code and no dependency. `html5ever` and
//! `scraper` build trees that nobody here would look at; `lol_html` rewrites pages and brings a
//! parser of selectors; `tl` does not follow the standard where pages are broken.

use html5gum::{DefaultEmitter, Token, Tokenizer};

use crate::text::{Tag, attribute, decoded, line};

/// The longest title, in letters.
pub const MAX_TITLE_CHARS: usize = 300;

/// The longest description.
pub const MAX_DESCRIPTION_CHARS: usize = 1_000;

/// The longest name of a site, and of a kind of thing.
pub const MAX_NAME_CHARS: usize = 100;

/// The longest address of a picture, in bytes; of a longer one nothing is kept.
pub const MAX_ADDRESS_BYTES: usize = 4_096;

/// What a page says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What it is called.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// What the site is called.
    pub site_name: Option<String>,
    /// What kind of thing it is.
    pub kind: Option<String>,
    /// Where its picture is, as it stands there: mostly a whole address.
    pub image: Option<String>,
}

/// Reads a page, or as much of it as there is.
///
/// `declared` is the encoding that its server says it has.
pub fn read(bytes: &[u8], declared: Option<&str>) -> Page {
    let text = decoded(bytes, declared);
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut reading = Reading::default();
    for token in Tokenizer::new_with_emitter(&*text, emitter) {
        match token {
            Ok(Token::StartTag(tag)) => reading.begin(&tag),
            Ok(Token::String(text)) => reading.read(&text),
            Ok(Token::EndTag(_)) => reading.in_title = false,
            Ok(Token::Comment(_) | Token::Doctype(_) | Token::Error(_)) => {}
            Err(never) => match never {},
        }
    }
    reading.finish()
}

/// What was found, by how much it is to be believed.
#[derive(Default)]
struct Reading {
    /// What the page tells those who link to it.
    told: Page,
    /// What it tells one of them.
    told_one: Page,
    /// What it says for other ends.
    said: Page,
    /// The text of its title as it comes.
    title: Vec<u8>,
    in_title: bool,
    /// Titles come before the body; those in it are of drawings.
    in_body: bool,
}

impl Reading {
    fn begin(&mut self, tag: &Tag) {
        match &**tag.name {
            b"title" => self.in_title = !self.in_body && self.title.is_empty(),
            b"body" | b"svg" => self.in_body = true,
            b"meta" => self.note(tag),
            b"link" => self.note_link(tag),
            _ => {}
        }
    }

    fn read(&mut self, text: &[u8]) {
        // Of each letter at most four bytes, and as much again of what is not shown.
        let room = (8 * MAX_TITLE_CHARS).saturating_sub(self.title.len());
        if self.in_title {
            self.title.extend_from_slice(&text[..text.len().min(room)]);
        }
    }

    fn note(&mut self, tag: &Tag) {
        let Some(name) = attribute(tag, b"property").or_else(|| attribute(tag, b"name")) else {
            return;
        };
        let Some(content) = attribute(tag, b"content") else {
            return;
        };
        let name = name.trim().to_ascii_lowercase();
        let (page, part) = match name.split_once(':') {
            Some(("og", part)) => (&mut self.told, part),
            Some(("twitter", part)) => (&mut self.told_one, part),
            _ => (&mut self.said, name.as_str()),
        };
        match part {
            "title" => fill(&mut page.title, &content, MAX_TITLE_CHARS),
            "description" => fill(&mut page.description, &content, MAX_DESCRIPTION_CHARS),
            "site_name" => fill(&mut page.site_name, &content, MAX_NAME_CHARS),
            "type" => fill(&mut page.kind, &content, MAX_NAME_CHARS),
            "image" | "image:url" | "image:secure_url" | "image:src" => {
                fill_address(&mut page.image, &content);
            }
            _ => {}
        }
    }

    fn note_link(&mut self, tag: &Tag) {
        let is_image = attribute(tag, b"rel")
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("image_src"));
        if let Some(address) = attribute(tag, b"href").filter(|_| is_image) {
            fill_address(&mut self.said.image, &address);
        }
    }

    fn finish(self) -> Page {
        let (told, one, said) = (self.told, self.told_one, self.said);
        let title = line(&String::from_utf8_lossy(&self.title), MAX_TITLE_CHARS);
        Page {
            title: told.title.or(one.title).or(title),
            description: told.description.or(one.description).or(said.description),
            site_name: told.site_name,
            kind: told.kind,
            image: told.image.or(one.image).or(said.image),
        }
    }
}

/// The first that says anything counts.
fn fill(place: &mut Option<String>, content: &str, max_chars: usize) {
    if place.is_none() {
        *place = line(content, max_chars);
    }
}

fn fill_address(place: &mut Option<String>, content: &str) {
    let content = content.trim();
    if place.is_none() && !content.is_empty() && content.len() <= MAX_ADDRESS_BYTES {
        *place = Some(content.to_owned());
    }
}

#[cfg(test)]
mod tests;

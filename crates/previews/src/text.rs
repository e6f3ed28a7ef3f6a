//! From a page's bytes to its letters, and from those to a line that can be shown.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use html5gum::{DefaultEmitter, Token, Tokenizer};

/// How much of a page is looked through for what it says of its encoding, as browsers do.
const LOOKED_THROUGH_BYTES: usize = 1_024;

/// A tag that begins something, with its attributes, and without its place in the page.
pub(crate) type Tag = html5gum::StartTag<()>;

/// The letters of a page: by its first bytes, by what its server declares, by what it says itself,
/// or else UTF-8 if it can be that, and what old pages were written in if not.
///
/// It has at most three times as many bytes as the page.
pub(crate) fn decoded<'a>(bytes: &'a [u8], declared: Option<&str>) -> Cow<'a, str> {
    if let Some((encoding, mark_bytes)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark_bytes..]).0;
    }
    let declared = declared.and_then(|label| Encoding::for_label(label.as_bytes()));
    let encoding = declared
        .or_else(|| said(bytes))
        .unwrap_or_else(|| guessed(bytes));
    encoding.decode_without_bom_handling(bytes).0
}

/// The encoding that a page names in its own first bytes.
fn said(bytes: &[u8]) -> Option<&'static Encoding> {
    let beginning = &bytes[..bytes.len().min(LOOKED_THROUGH_BYTES)];
    let named = tags(beginning).find_map(|tag| encoding_of(&tag))?;
    // Whoever can read this sentence does not read two bytes at a time.
    Some(match named == UTF_16LE || named == UTF_16BE {
        true => UTF_8,
        false => named,
    })
}

fn tags(bytes: &[u8]) -> impl Iterator<Item = Tag> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let tokens = Tokenizer::new_with_emitter(bytes, emitter);
    tokens.filter_map(|token| match token {
        Ok(Token::StartTag(tag)) if &**tag.name == b"meta" => Some(tag),
        Ok(_) => None,
        Err(never) => match never {},
    })
}

fn encoding_of(tag: &Tag) -> Option<&'static Encoding> {
    if let Some(label) = attribute(tag, b"charset") {
        return Encoding::for_label(label.as_bytes());
    }
    if !attribute(tag, b"http-equiv")?.eq_ignore_ascii_case("content-type") {
        return None;
    }
    let content = attribute(tag, b"content")?.to_ascii_lowercase();
    let (_, label) = content.split_once("charset=")?;
    let end = label.find([';', ' ']).unwrap_or(label.len());
    Encoding::for_label(label[..end].trim_matches(['"', '\'']).as_bytes())
}

/// An attribute of a tag.
pub(crate) fn attribute<'a>(tag: &'a Tag, name: &[u8]) -> Option<Cow<'a, str>> {
    let value = tag.attributes.get(name)?;
    Some(String::from_utf8_lossy(value))
}

fn guessed(bytes: &[u8]) -> &'static Encoding {
    match std::str::from_utf8(bytes) {
        Ok(_) => UTF_8,
        // Cut off within a letter.
        Err(error) if error.error_len().is_none() => UTF_8,
        Err(_) => WINDOWS_1252,
    }
}

/// One line of at most so many letters; `None` when nothing of it can be seen.
///
/// Without what moves other letters about: a page does not decide how the message around its
/// preview is read.
pub(crate) fn line(text: &str, max_chars: usize) -> Option<String> {
    let mut line = String::new();
    let mut count = 0;
    for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control()) {
        let mut letters = word.chars().filter(|letter| !is_mover(*letter)).peekable();
        if letters.peek().is_none() {
            continue;
        }
        for letter in (count > 0).then_some(' ').into_iter().chain(letters) {
            if count == max_chars {
                line.push('…');
                return Some(line);
            }
            line.push(letter);
            count += 1;
        }
    }
    (!line.is_empty()).then_some(line)
}

/// Letters that cannot be seen, and change the direction in which others are read.
fn is_mover(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_in_the_encoding_that_it_has() {
        let korean = b"\xc7\xd1\xb1\xdb";
        for (bytes, declared, text) in [
            (b"caf\xc3\xa9".as_slice(), None, "café"),
            (b"caf\xe9.", None, "café."),
            (b"caf\xc3", None, "caf\u{fffd}"),
            (b"caf\xc3\xa9", Some("iso-8859-1"), "cafÃ©"),
            (b"\xef\xbb\xbfcaf\xc3\xa9", Some("iso-8859-1"), "café"),
            (b"\xff\xfec\0a\0", Some("utf-8"), "ca"),
            (korean, Some("EUC-KR"), "한글"),
            (korean, Some("no such thing"), "ÇÑ±Û"),
        ] {
            assert_eq!(decoded(bytes, declared), text);
        }
    }

    #[test]
    fn a_page_may_name_its_encoding_itself() {
        let page = |said: &str| [said.as_bytes(), b"\xc7\xd1\xb1\xdb"].concat();
        for said in [
            "<meta charset=euc-kr>",
            "<!-- <meta charset=utf-8> --><META CHARSET=\"EUC-KR\">",
            "<meta content='text/html; charset=euc-kr; x' http-equiv='Content-Type'>",
            "<title><meta charset=utf-8></title><meta charset=ks_c_5601-1987>",
        ] {
            let page = page(said);
            assert!(decoded(&page, None).ends_with("한글"), "{said}");
        }
        for not_said in [
            "<meta name=charset content=euc-kr>",
            "<meta charset=klingon>",
        ] {
            let page = page(not_said);
            assert!(decoded(&page, None).ends_with("ÇÑ±Û"), "{not_said}");
        }
        let page = [b"<meta charset=utf-16>".as_slice(), "é".as_bytes()].concat();
        assert!(decoded(&page, None).ends_with('é'));
    }

    #[test]
    fn a_line_is_short_and_shows_what_it_is() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(line("  a\n\t b\u{a0}c \0 ", 10), some("a b c"));
        assert_eq!(line("abcde", 5), some("abcde"));
        assert_eq!(line("abcdef", 5), some("abcde…"));
        assert_eq!(line("äöü äöü", 4), some("äöü …"));
        assert_eq!(line("\u{202e}gpj.exe\u{2066}", 20), some("gpj.exe"));
        assert_eq!(line(" \u{202e} \n ", 20), None);
        assert_eq!(line("", 20), None);
    }
}

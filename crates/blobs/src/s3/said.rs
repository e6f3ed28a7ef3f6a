//! What S3 said when it did not do what it was asked, in few words.

use std::error::Error;

use crate::BlobError;

/// The longest answer that is repeated when it is not one of S3's.
const LONGEST: usize = 300;

/// An answer that is no success, or why there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// S3's own name for what is wrong.
    pub code: Option<String>,
    /// The whole in one sentence.
    pub sentence: String,
}

impl Said {
    /// Reads a status with its name and, behind a colon, the body.
    pub fn read(answer: &str) -> Self {
        let (status, body) = answer.split_once(": ").unwrap_or((answer, ""));
        let code = element(body, "Code").map(short);
        let shown = short(status);
        let sentence = match (&code, element(body, "Message")) {
            (Some(code), Some(message)) => format!("{shown}, {code}: {}", short(message)),
            (Some(code), None) => format!("{shown}, {code}"),
            (None, _) => shown,
        };
        Self {
            status: status.get(..3).and_then(|digits| digits.parse().ok()),
            code,
            sentence,
        }
    }

    pub(super) fn of(sentence: &str) -> Self {
        Self {
            status: None,
            code: None,
            sentence: short(sentence),
        }
    }

    pub(super) fn failed(self, doing: &'static str) -> BlobError {
        let said = self.sentence;
        BlobError::S3 { doing, said }
    }

    pub(super) fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the object is not there; a bucket that is gone is another thing.
    pub fn is_missing(&self) -> bool {
        self.status == Some(404) && !self.has_code("NoSuchBucket")
    }

    /// Whether the server will not do this however often it is asked.
    pub fn is_refusal(&self) -> bool {
        self.status
            .is_some_and(|status| (400..500).contains(&status))
            || self.is_unknown()
    }

    /// Whether the server does not know what was asked for.
    pub(super) fn is_unknown(&self) -> bool {
        self.status == Some(501) || self.has_code("NotImplemented")
    }
}

/// Reads an error of the library, which tells the answer only in its text.
pub(super) fn said(error: &object_store::Error) -> Said {
    let chain = std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| {
        error.source()
    });
    let texts: Vec<String> = chain.map(ToString::to_string).collect();
    let is_answer = |text: &&String| text.contains("status code: ");
    if let Some(text) = texts.iter().find(is_answer) {
        let (_, answer) = text.split_once("status code: ").unwrap_or_default();
        return Said::read(answer);
    }
    // The last cause is the one that says something.
    let cause = texts.last().map_or("nothing", String::as_str);
    Said::of(cause)
}

/// The text of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once("</")?;
    Some(text)
}

/// One line that can be shown, whatever somebody answers.
fn short(text: &str) -> String {
    let shown = text.chars().filter(|letter| !letter.is_control());
    shown.take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::Said;

    #[test]
    fn an_answer_is_its_status_its_code_and_its_message() {
        let body = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>\
             <Message>No.\nReally</Message><HostId>x</HostId></Error>";
        let said = Said::read(&format!("403 Forbidden: {body}"));
        assert_eq!(said.sentence, "403 Forbidden, AccessDenied: No.Really");
        assert_eq!(said.status, Some(403));
        assert!(said.has_code("AccessDenied") && !said.is_missing());
    }

    #[test]
    fn any_other_answer_is_told_by_its_status() {
        for (answer, sentence, status) in [
            ("404 Not Found: ", "404 Not Found", Some(404)),
            (
                "502 Bad Gateway: <html>\u{0}<Code>",
                "502 Bad Gateway",
                Some(502),
            ),
            ("", "", None),
            ("é: <Code></Code>", "é, ", None),
            ("500 No\u{85}: <Code>a\r\nb</Code>", "500 No, ab", Some(500)),
        ] {
            let said = Said::read(answer);
            assert_eq!((said.sentence.as_str(), said.status), (sentence, status));
        }
    }

    #[test]
    fn a_bucket_that_is_gone_is_no_missing_object() {
        let gone = Said::read("404 Not Found: <Error><Code>NoSuchBucket</Code></Error>");
        assert!(!gone.is_missing());
        assert!(Said::read("404 Not Found: <Error><Code>NoSuchKey</Code></Error>").is_missing());
    }
}

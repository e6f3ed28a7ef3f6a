//! Where uploaded files are kept.

use std::path::PathBuf;

use super::{Raw, Rejection, S3Url, Value, quoted};

/// Where files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesUrl {
    /// A folder on this machine.
    Folder(PathBuf),
    /// A bucket.
    S3(S3Url),
}

impl Value for FilesUrl {
    // Somebody may have put a key into it, which is refused and must not be shown.
    const SECRET: bool = true;

    fn accepts() -> String {
        "\"file://PATH\", \"s3://BUCKET?endpoint=https://HOST&region=REGION\" with or without \
         \"&style=virtual\" and \"&prefix=PREFIX\""
            .to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        if let Some(rest) = text.strip_prefix("s3://") {
            return S3Url::parse(rest).map(Self::S3);
        }
        match text.strip_prefix("file://") {
            Some("") => Err(Rejection::new("names no folder after file://")),
            Some(path) if path.contains('\0') => Err(Rejection::new("holds a NUL character")),
            Some(path) => Ok(Self::Folder(PathBuf::from(path))),
            None => Err(Rejection::new(
                "is not the URL of a store this server speaks",
            )),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Folder(path) => quoted(&format!("file://{}", path.display())),
            Self::S3(url) => quoted(&url.to_text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FilesUrl, Raw, Value};

    const SERVER: &str = "endpoint=https://s3.example.org&region=eu-1";

    fn parse(text: &str) -> Result<FilesUrl, String> {
        FilesUrl::parse(&Raw::Text(text.to_owned())).map_err(|rejection| rejection.reason)
    }

    #[test]
    fn a_bucket_is_read_and_shown_as_it_is_in_force() {
        for (url, shown) in [
            (
                "s3://abc?endpoint=https://s3.example.org&region=eu-1",
                "s3://abc?endpoint=https://s3.example.org&region=eu-1",
            ),
            (
                "s3://a.b-c?region=x&style=path&prefix=chat/files/&endpoint=http%3A%2F%2F[::1]:9000/",
                "s3://a.b-c?endpoint=http://[::1]:9000&region=x&prefix=chat/files",
            ),
            (
                "s3://abc?endpoint=HTTPS://S3.Example.org:443&region=x&style=virtual&",
                "s3://abc?endpoint=https://s3.example.org&region=x&style=virtual",
            ),
        ] {
            let read = parse(url).unwrap();
            assert_eq!(read.show(), format!("{shown:?}"));
            assert_eq!(parse(shown).unwrap(), read);
        }
    }

    #[test]
    fn what_is_wrong_with_a_bucket_is_told() {
        let long = "a".repeat(64);
        for (url, part) in [
            ("s3://abc", "names no server"),
            ("s3://abc?region=x", "names no server"),
            ("s3://abc?endpoint=https://a", "names no region"),
            ("s3://abc?endpoint=https://a&region=", "not one word"),
            ("s3://abc?endpoint=https://a&region=a/b", "not one word"),
            ("s3://abc?endpoint=s3.example.org&region=x", "no URL"),
            ("s3://abc?endpoint=ftp://a&region=x", "neither https:// nor"),
            ("s3://abc?endpoint=https://u:p@a&region=x", "holds a key"),
            ("s3://abc?endpoint=https://a/b&region=x", "more than a host"),
            (
                "s3://abc?endpoint=https://10.0.0.1&region=x&style=virtual",
                "needs a host",
            ),
            (
                "s3://AKIA:secret@abc?endpoint=https://a&region=x",
                "holds a key",
            ),
            (&format!("s3://?{SERVER}"), "names no bucket"),
            (&format!("s3://ab?{SERVER}"), "names no bucket"),
            (&format!("s3://{long}?{SERVER}"), "names no bucket"),
            (&format!("s3://Abc?{SERVER}"), "names no bucket"),
            (&format!("s3://-bc?{SERVER}"), "names no bucket"),
            (&format!("s3://a..c?{SERVER}"), "names no bucket"),
            (&format!("s3://a_c?{SERVER}"), "names no bucket"),
            (&format!("s3://abc/chat?{SERVER}"), "&prefix="),
            (&format!("s3://abc?{SERVER}&style=host"), "a style other"),
            (&format!("s3://abc?{SERVER}&retries=3"), "a parameter other"),
            (&format!("s3://abc?{SERVER}&region=y"), "twice"),
            (&format!("s3://abc?{SERVER}&prefix=a%2"), "wrongly escaped"),
            (&format!("s3://abc?{SERVER}&prefix=/a"), "a prefix that"),
            (&format!("s3://abc?{SERVER}&prefix=a/../b"), "a prefix that"),
            (&format!("s3://abc?{SERVER}&prefix=a//b"), "a prefix that"),
            (&format!("s3://abc?{SERVER}&prefix=a%20b"), "a prefix that"),
            (
                &format!("s3://abc?{SERVER}&prefix={long}{long}{long}{long}"),
                "a prefix that",
            ),
            ("s3:abc", "not the URL of a store"),
        ] {
            let reason = parse(url).unwrap_err();
            assert!(reason.contains(part), "{url}: {reason}");
        }
    }
}

//! Which database holds the log and everything it covers.

use std::{fmt, path::PathBuf};

use super::{Raw, Rejection, Secret, Value, quoted, secret::MASK};

/// Where the database is.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// The embedded engine, in one file.
    Sqlite(PathBuf),
    /// A PostgreSQL cluster; the URL may carry a password.
    Postgres(Secret),
}

impl Value for DatabaseUrl {
    const SECRET: bool = true;

    fn accepts() -> String {
        "\"sqlite://PATH\", \"postgres://USER:PASSWORD@HOST:PORT/DATABASE\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        if text.contains('\0') {
            return Err(Rejection::new("holds a NUL character"));
        }
        match text.split_once("://") {
            Some(("sqlite", "")) => Err(Rejection::new("names no file after sqlite://")),
            Some(("sqlite", path)) => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("postgres" | "postgresql", "")) => {
                Err(Rejection::new("names no server after postgres://"))
            }
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(Secret::new(text))),
            _ => Err(Rejection::new(
                "is not the URL of a database this server speaks",
            )),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Sqlite(path) => quoted(&format!("sqlite://{}", path.display())),
            Self::Postgres(url) => quoted(&masked(url.expose())),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

/// Masks the password of a URL, wherever it can stand.
///
/// Parameters are dropped whole, since `password` can be one of them. With an `@`, `?` or `#` that
/// should have been percent-encoded, nobody can tell where the password ends: all is masked.
fn masked(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let (place, parameters) = match rest.split_once('?') {
        Some((place, parameters)) => (place, Some(parameters)),
        None => (rest, None),
    };
    let parted_wrongly = parameters.is_some_and(|text| text.contains('@')) || place.contains('#');
    if parted_wrongly || place.matches('@').count() > 1 {
        return format!("{scheme}://{MASK}");
    }
    let place = match place.split_once('@') {
        Some((credentials, server)) => match credentials.split_once(':') {
            Some((user, _)) => format!("{user}:{MASK}@{server}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    };
    match parameters {
        Some(_) => format!("{scheme}://{place}?{MASK}"),
        None => format!("{scheme}://{place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn no_form_of_password_is_shown() {
        for url in [
            "postgres://me:s3cret@db/chat",
            "postgres://me:s3cret@db-1:5432,db-2:5432/chat?sslmode=require",
            "postgresql://db/chat?user=me&password=s3cret",
            "postgres://me:p@s3cret/x@db/chat",
            "postgres://me:?s3cret@db/chat",
            "postgres://me@db/chat?password=s3@cret",
            "postgres://me:s3#cret@db/chat",
            "postgres://me:s3/cret@db/chat",
        ] {
            let shown = masked(url);
            assert!(
                !shown.contains("s3") && !shown.contains("cret"),
                "{url} shows as {shown}"
            );
        }
        assert_eq!(
            masked("postgres://me:s3cret@db/chat"),
            "postgres://me:********@db/chat"
        );
        assert_eq!(masked("postgres:///chat"), "postgres:///chat");
    }
}

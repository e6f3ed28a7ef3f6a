//! Booleans, paths, addresses, URLs; optional values and lists.

use std::{net::SocketAddr, path::PathBuf};

use url::Url;

use super::{Raw, Rejection, Value, quoted};

impl Value for bool {
    fn accepts() -> String {
        "true, false".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        match raw {
            Raw::Bool(value) => Ok(*value),
            Raw::Bare(text) if text == "true" => Ok(true),
            Raw::Bare(text) if text == "false" => Ok(false),
            Raw::Text(_) => Err(Rejection::new(
                "is text, not a boolean (write it without quotes)",
            )),
            _ => Err(Rejection::new("is not a boolean")),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    fn accepts() -> String {
        "a path, absolute or relative to the working directory".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        if text.is_empty() || text.contains('\0') {
            return Err(Rejection::new("is not a path"));
        }
        Ok(Self::from(text))
    }

    fn show(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

impl Value for SocketAddr {
    fn accepts() -> String {
        "an IP address with a port, such as \"127.0.0.1:8008\" or \"[::1]:8008\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        raw.text()?
            .parse()
            .map_err(|_| Rejection::new("is not an IP address with a port"))
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Value for Url {
    fn accepts() -> String {
        "an http:// or https:// URL without a path, such as \"https://chat.example.org\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let url: Url = raw
            .text()?
            .parse()
            .map_err(|_| Rejection::new("is not a URL"))?;
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Rejection::new("is not an http:// or https:// URL"));
        }
        if !plain || !url.username().is_empty() || url.password().is_some() {
            return Err(Rejection::new("has more than a scheme, a host and a port"));
        }
        Ok(url)
    }

    fn show(&self) -> String {
        quoted(self.as_str().trim_end_matches('/'))
    }
}

/// An optional value is absent when it is the empty text, so that any layer can switch it off.
impl<T: Value> Value for Option<T> {
    const SECRET: bool = T::SECRET;

    fn accepts() -> String {
        format!("{}, or \"\" for none", T::accepts())
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        if raw.is_blank() {
            Ok(None)
        } else {
            T::parse(raw).map(Some)
        }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| quoted(""), T::show)
    }
}

/// A list is a TOML array or a single value; outside the file its items are joined by commas.
impl<T: Value> Value for Vec<T> {
    const SECRET: bool = T::SECRET;

    fn accepts() -> String {
        format!("{}, or a list of these", T::accepts())
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        match raw {
            Raw::List(items) => items
                .iter()
                .map(|(item, offset)| {
                    T::parse(item).map_err(|why| why.in_part(item, Some(*offset)))
                })
                .collect(),
            Raw::Bare(text) if text.is_empty() => Ok(Self::new()),
            Raw::Bare(text) => text
                .split(',')
                .map(|item| Raw::Bare(item.trim().to_owned()))
                .map(|item| T::parse(&item).map_err(|why| why.in_part(&item, None)))
                .collect(),
            single => Ok(vec![T::parse(single)?]),
        }
    }

    fn show(&self) -> String {
        let items: Vec<String> = self.iter().map(T::show).collect();
        format!("[{}]", items.join(", "))
    }
}

impl Rejection {
    fn in_part(self, part: &Raw, offset: Option<usize>) -> Self {
        if self.part.is_some() {
            return self;
        }
        Self {
            part: Some(part.clone()),
            offset,
            ..self
        }
    }
}

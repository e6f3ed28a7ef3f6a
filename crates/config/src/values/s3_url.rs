//! Where a bucket is.

use url::{Host, Url};

use super::{Rejection, bus_url::unescaped};

/// The longest prefix: with the name of a blob it stays far below what keys may have.
const LONGEST_PREFIX: usize = 200;

/// The longest region, which is one word.
const LONGEST_REGION: usize = 64;

/// A bucket of a server that speaks S3, and how it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Url {
    /// The bucket.
    pub bucket: String,
    /// `http://` or `https://`, a host, and a port where it is not the usual one.
    pub endpoint: String,
    /// The region.
    pub region: String,
    /// Whether the bucket is a part of the host's name instead of the path.
    pub is_virtual_host: bool,
    /// What the names of all files begin with: without a slash at either end, or empty.
    pub prefix: String,
}

impl S3Url {
    /// Reads what stands behind `s3://`.
    pub(super) fn parse(text: &str) -> Result<Self, Rejection> {
        let (bucket, query) = text.split_once('?').unwrap_or((text, ""));
        check_bucket(bucket)?;
        let (mut endpoint, mut region, mut style, mut prefix) = (None, None, None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match name {
                "endpoint" => &mut endpoint,
                "region" => &mut region,
                "style" => &mut style,
                "prefix" => &mut prefix,
                _ => {
                    return refuse("has a parameter other than endpoint, region, style and prefix");
                }
            };
            let Some(value) = unescaped(value) else {
                return refuse("has a parameter that is wrongly escaped");
            };
            if place.replace(value).is_some() {
                return refuse("has a parameter twice");
            }
        }
        let Some(endpoint) = endpoint else {
            return refuse("names no server: add ?endpoint=https:// and its name");
        };
        let Some(region) = region else {
            return refuse(
                "names no region: add &region= and it; servers without regions take us-east-1",
            );
        };
        let is_virtual_host = match style.as_deref() {
            None | Some("path") => false,
            Some("virtual") => true,
            Some(_) => return refuse("has a style other than path and virtual"),
        };
        Ok(Self {
            bucket: bucket.to_owned(),
            endpoint: read_endpoint(&endpoint, is_virtual_host)?,
            region: read_region(region)?,
            is_virtual_host,
            prefix: read_prefix(prefix.unwrap_or_default())?,
        })
    }

    /// The URL that is read as this.
    pub(super) fn to_text(&self) -> String {
        let Self {
            bucket,
            endpoint,
            region,
            ..
        } = self;
        let style = match self.is_virtual_host {
            true => "&style=virtual",
            false => "",
        };
        let prefix = match self.prefix.as_str() {
            "" => String::new(),
            prefix => format!("&prefix={prefix}"),
        };
        format!("s3://{bucket}?endpoint={endpoint}&region={region}{style}{prefix}")
    }
}

fn refuse<T>(reason: &str) -> Result<T, Rejection> {
    Err(Rejection::new(reason))
}

/// What every S3 takes as the name of a bucket.
fn check_bucket(bucket: &str) -> Result<(), Rejection> {
    if bucket.contains('@') {
        return refuse("holds a key: set files.access_key_id and files.secret_access_key instead");
    }
    if bucket.contains('/') {
        return refuse("has a path: name what stands before files with &prefix=");
    }
    let is_end = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let fits = (3..=63).contains(&bucket.len())
        && bucket.starts_with(is_end)
        && bucket.ends_with(is_end)
        && bucket
            .chars()
            .all(|letter| is_end(letter) || ".-".contains(letter))
        && !bucket.contains("..");
    if fits {
        return Ok(());
    }
    refuse(
        "names no bucket: its name has 3 to 63 small letters, digits, dots and hyphens, and a \
         letter or a digit at either end",
    )
}

fn read_endpoint(text: &str, is_virtual_host: bool) -> Result<String, Rejection> {
    let url: Result<Url, _> = text.parse();
    let Ok(url) = url else {
        return refuse("has an endpoint that is no URL");
    };
    let Some(host) = url
        .host()
        .filter(|_| matches!(url.scheme(), "http" | "https"))
    else {
        return refuse("has an endpoint that is neither https:// nor http:// and a host");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("has an endpoint that holds a key");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return refuse("has an endpoint with more than a host and a port");
    }
    if is_virtual_host && !matches!(host, Host::Domain(_)) {
        return refuse(
            "names its bucket before an address: style=virtual needs a host with a name",
        );
    }
    Ok(url.origin().ascii_serialization())
}

fn read_region(region: String) -> Result<String, Rejection> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if region.is_empty() || region.len() > LONGEST_REGION || !region.chars().all(fits) {
        return refuse("has a region that is not one word");
    }
    Ok(region)
}

fn read_prefix(prefix: String) -> Result<String, Rejection> {
    let prefix = prefix.strip_suffix('/').unwrap_or(&prefix);
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(fits);
    if prefix.is_empty() || (prefix.len() <= LONGEST_PREFIX && prefix.split('/').all(is_part)) {
        return Ok(prefix.to_owned());
    }
    refuse(
        "has a prefix that is not words of letters, digits, dots, hyphens and underscores with \
         slashes between them",
    )
}

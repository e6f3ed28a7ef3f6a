//! What a client asks for of a file: all of it, a part, or nothing when it has it already ([RFC 9110]).
//!
//! [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110.html#section-13.2.2

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{IF_NONE_MATCH, IF_RANGE, RANGE},
    request::Parts,
};

use crate::ClientApi;

/// The conditions under which a file is asked for.
pub struct Conditions {
    /// Ranges are defined for `GET` only: a `HEAD` tells of the whole.
    is_get: bool,
    headers: HeaderMap,
}

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    /// The client has it: 304.
    None,
    /// All of it: 200.
    Whole,
    /// A part: 206.
    Part {
        /// The first byte of it.
        from: u64,
        /// How many bytes it has, at least one.
        length: u64,
    },
    /// A part that the file does not have: 416.
    Unsatisfiable,
}

/// A range as it was asked for, before the size is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// From a byte to another, both included; without the other to the end.
    From(u64, Option<u64>),
    /// The last so many bytes.
    Last(u64),
}

impl FromRequestParts<ClientApi> for Conditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &ClientApi) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.method, &parts.headers))
    }
}

impl Conditions {
    /// The conditions in the headers of a request.
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        let wanted = [IF_NONE_MATCH, IF_RANGE, RANGE];
        let of = |name: &HeaderName| wanted.contains(name);
        let pairs = headers.iter().filter(|(name, _)| of(name));
        let mut kept = HeaderMap::new();
        for (name, value) in pairs {
            kept.append(name, value.clone());
        }
        Self {
            is_get: method == Method::GET,
            headers: kept,
        }
    }

    /// What to answer of a file of this size whose content has this tag.
    pub fn portion(&self, tag: &HeaderValue, size_bytes: u64) -> Portion {
        if self.has(tag) {
            return Portion::None;
        }
        let asked = self.range().filter(|_| self.is_get && self.holds(tag));
        asked.map_or(Portion::Whole, |asked| asked.of(size_bytes))
    }

    /// Whether the client has the content already.
    fn has(&self, tag: &HeaderValue) -> bool {
        let lists = self.headers.get_all(IF_NONE_MATCH).iter();
        let tags = lists.filter_map(|list| list.to_str().ok());
        // A tag of ours has no comma in it, so a piece that is equal to it is a whole tag.
        tags.flat_map(|list| list.split(',')).any(|other| {
            let other = other.trim();
            other == "*" || other.strip_prefix("W/").unwrap_or(other) == *tag
        })
    }

    /// Whether a range is of the content that the client has the rest of.
    ///
    /// Only a strong tag tells so; there is no time of change that a date could be compared with.
    fn holds(&self, tag: &HeaderValue) -> bool {
        let mut stated = self.headers.get_all(IF_RANGE).iter();
        stated.all(|stated| stated == tag)
    }

    /// The one range that is asked for. Several are answered with the whole, as is nonsense.
    fn range(&self) -> Option<Asked> {
        let mut headers = self.headers.get_all(RANGE).iter();
        let (Some(header), None) = (headers.next(), headers.next()) else {
            return None;
        };
        let (unit, set) = header.to_str().ok()?.split_once('=')?;
        unit.trim()
            .eq_ignore_ascii_case("bytes")
            .then(|| Asked::parse(set.trim()))?
    }
}

impl Asked {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once('-')? {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    fn of(self, size_bytes: u64) -> Portion {
        let (from, end) = match self {
            Self::From(from, last) => {
                let end = last.map_or(u64::MAX, |last| last.saturating_add(1));
                (from, end.min(size_bytes))
            }
            Self::Last(0) => return Portion::Unsatisfiable,
            // The end of an empty file is all of it, and no 206 can say so.
            Self::Last(_) if size_bytes == 0 => return Portion::Whole,
            Self::Last(length) => (size_bytes.saturating_sub(length), size_bytes),
        };
        match end.checked_sub(from) {
            None | Some(0) => Portion::Unsatisfiable,
            Some(length) => Portion::Part { from, length },
        }
    }
}

/// A number of any length: one past all sizes is past the end.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TAG: &str = "\"abc\"";

    fn portion(method: &Method, headers: &[(HeaderName, &str)], size_bytes: u64) -> Portion {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        Conditions::of(method, &map).portion(&HeaderValue::from_static(TAG), size_bytes)
    }

    fn of_range(range: &str, size_bytes: u64) -> Portion {
        portion(&Method::GET, &[(RANGE, range)], size_bytes)
    }

    fn part(from: u64, length: u64) -> Portion {
        Portion::Part { from, length }
    }

    #[test]
    fn one_range_is_a_part() {
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-99", part(0, 100)),
            ("bytes=0-100", part(0, 100)),
            ("bytes=99-", part(99, 1)),
            ("Bytes=10-19", part(10, 10)),
            ("bytes=-1", part(99, 1)),
            ("bytes=-100", part(0, 100)),
            ("bytes=-101", part(0, 100)),
            ("bytes=5-99999999999999999999999999", part(5, 95)),
            ("bytes=100-", Portion::Unsatisfiable),
            ("bytes=100-200", Portion::Unsatisfiable),
            ("bytes=99999999999999999999999999-", Portion::Unsatisfiable),
            ("bytes=-0", Portion::Unsatisfiable),
        ] {
            assert_eq!(of_range(range, 100), expected, "{range}");
        }
        assert_eq!(of_range("bytes=0-", 0), Portion::Unsatisfiable);
        assert_eq!(of_range("bytes=-5", 0), Portion::Whole);
    }

    #[test]
    fn several_ranges_and_nonsense_are_the_whole() {
        for range in [
            "bytes=0-1,5-6",
            "bytes=9-1",
            "bytes=",
            "bytes=-",
            "bytes=--1",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes 0-1",
            "lines=0-1",
            "0-1",
            "bytes=0x1-2",
        ] {
            assert_eq!(of_range(range, 100), Portion::Whole, "{range}");
        }
        let twice = [(RANGE, "bytes=0-1"), (RANGE, "bytes=0-1")];
        assert_eq!(portion(&Method::GET, &twice, 100), Portion::Whole);
        let head = portion(&Method::HEAD, &twice[..1], 100);
        assert_eq!(head, Portion::Whole);
    }

    #[test]
    fn a_range_holds_only_for_the_same_content() {
        let asked = |stated| {
            let headers = [(RANGE, "bytes=0-1"), (IF_RANGE, stated)];
            portion(&Method::GET, &headers, 100)
        };
        assert_eq!(asked(TAG), part(0, 2));
        for other in [
            "\"other\"",
            "W/\"abc\"",
            "abc",
            "Sat, 29 Oct 1994 19:43:31 GMT",
        ] {
            assert_eq!(asked(other), Portion::Whole, "{other}");
        }
    }

    #[test]
    fn what_the_client_has_is_not_sent() {
        let asked = |stated| {
            let headers = [(IF_NONE_MATCH, stated), (RANGE, "bytes=0-1")];
            portion(&Method::GET, &headers, 100)
        };
        for same in [TAG, "W/\"abc\"", "*", "\"x\", W/\"abc\" ,\"y\""] {
            assert_eq!(asked(same), Portion::None, "{same}");
        }
        for other in ["\"x\"", "abc", "\"ab\",\"c\"", ""] {
            assert_eq!(asked(other), part(0, 2), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_part_is_within_the_file(
            range in "bytes=[0-9]{0,4}-[0-9]{0,4}(,[0-9]-)?",
            size in 0_u64..2_000,
        ) {
            if let Portion::Part { from, length } = of_range(&range, size) {
                prop_assert!(length > 0 && from + length <= size);
            }
        }
    }
}

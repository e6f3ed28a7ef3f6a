//! The languages in which this server speaks to people: its pages and its mail.

use serde::{Deserialize, Serialize};

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Chinese in simplified characters.
    #[serde(rename = "zh-Hans")]
    SimplifiedChinese,
}

impl Language {
    /// The language that a browser likes best among these, by its `Accept-Language`; English when
    /// it likes none of them.
    pub fn preferred(accept_language: &str) -> Self {
        let mut best = (0, Self::English);
        for range in accept_language.split(',') {
            let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
            let language = match tag.trim().split('-').next() {
                Some(tag) if tag.eq_ignore_ascii_case("en") => Self::English,
                Some(tag) if tag.eq_ignore_ascii_case("zh") => Self::SimplifiedChinese,
                _ => continue,
            };
            let weight = thousandths(weight);
            // The first of equals is preferred.
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The language that a tag of languages names, as clients write it: `zh-CN` and `zh_Hans` are
    /// Chinese, and what is not known here is English.
    pub fn of_tag(tag: &str) -> Self {
        let language = tag.split(['-', '_']).next().unwrap_or_default();
        match language.trim().eq_ignore_ascii_case("zh") {
            true => Self::SimplifiedChinese,
            false => Self::English,
        }
    }

    /// The value of the attribute `lang`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::SimplifiedChinese => "zh-Hans",
        }
    }
}

/// The weight `q=0.8` in thousandths; without one it is 1.
fn thousandths(weight: &str) -> u16 {
    let Some(weight) = weight.trim().strip_prefix("q=") else {
        return 1_000;
    };
    let weight: f32 = weight.parse().unwrap_or(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the weight is between 0 and 1 here"
    )]
    let thousandths = (weight.clamp(0.0, 1.0) * 1_000.0) as u16;
    thousandths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_the_browser_likes_best() {
        for (wanted, language) in [
            ("", Language::English),
            ("de, fr;q=0.9", Language::English),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::SimplifiedChinese),
            ("en-GB,en;q=0.9,zh;q=0.8", Language::English),
            ("de,zh;q=0.5,en;q=0.7", Language::English),
            ("de,zh-Hans;q=0.5", Language::SimplifiedChinese),
            ("zh;q=0", Language::English),
            ("zh;q=x,en;q=0.1", Language::English),
            (";;,,zh;q=NaN", Language::English),
        ] {
            assert_eq!(Language::preferred(wanted), language, "{wanted}");
        }
    }

    #[test]
    fn a_tag_names_a_language() {
        for (tag, language) in [
            ("zh", Language::SimplifiedChinese),
            ("zh-CN", Language::SimplifiedChinese),
            ("ZH_Hans", Language::SimplifiedChinese),
            ("en", Language::English),
            ("zha", Language::English),
            ("de-CH", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::of_tag(tag), language, "{tag}");
        }
    }
}

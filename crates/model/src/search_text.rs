//! Text as it is compared when somebody searches: without case, accents, and forms of letters, in
//! parts that can be found.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Folds text: what looks like the same letter becomes the same letter.
///
/// Compatible forms become one (NFKC): full-width and half-width letters, ligatures, letters in
/// circles. Case goes, accents over Latin, Greek and Cyrillic letters go, and Katakana become
/// Hiragana. Vowel signs and marks of other scripts stay: they make other words.
pub fn fold(text: &str) -> String {
    let letters = text.nfkd().flat_map(without_case).nfkd();
    let plain = letters.filter(|letter| !is_accent(*letter));
    plain.nfkc().flat_map(replaced).collect()
}

/// Upper case in between: `ß` and `ẞ`, `ς` and `σ` then meet.
fn without_case(letter: char) -> impl Iterator<Item = char> {
    let lower = letter.to_lowercase();
    lower
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}

/// The blocks of diacritics that stand over letters of European scripts.
fn is_accent(letter: char) -> bool {
    is_combining_mark(letter)
        && matches!(letter, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Letters with a stroke and ligatures, which Unicode takes for letters of their own, as people
/// type them who do not have them on their keyboards; and Katakana.
fn replaced(letter: char) -> impl Iterator<Item = char> {
    let two = match letter {
        'æ' => ['a', 'e'],
        'œ' => ['o', 'e'],
        'þ' => ['t', 'h'],
        'ø' => ['o', '\0'],
        'ł' => ['l', '\0'],
        'đ' | 'ð' => ['d', '\0'],
        'ħ' => ['h', '\0'],
        'ŧ' => ['t', '\0'],
        'ı' => ['i', '\0'],
        katakana @ '\u{30a1}'..='\u{30f6}' => [
            char::from_u32(u32::from(katakana) - 0x60).unwrap_or(katakana),
            '\0',
        ],
        other => [other, '\0'],
    };
    two.into_iter().filter(|letter| *letter != '\0')
}

/// A part of a text that is found as a whole, or by its inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part<'a> {
    /// A word or a number: letters between what is none. It is found as a whole.
    Word(&'a str),
    /// Letters of a script that writes words without spaces between them, or hangs particles on
    /// them: Chinese, Japanese, Korean, Thai, Lao, Burmese, Khmer. Any part of it is found.
    Run(&'a str),
}

/// The parts of a folded text, in their order.
pub fn parts(folded: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut open: Option<(Kind, usize)> = None;
    for (at, letter) in folded.char_indices() {
        let kind = match is_combining_mark(letter) {
            // It stands on the letter before it.
            true => open.map(|(kind, _)| kind),
            false => kind_of(letter),
        };
        if kind == open.map(|(kind, _)| kind) {
            continue;
        }
        if let Some((kind, start)) = open {
            parts.push(kind.part(&folded[start..at]));
        }
        open = kind.map(|kind| (kind, at));
    }
    if let Some((kind, start)) = open {
        parts.push(kind.part(&folded[start..]));
    }
    parts
}

/// The letters of a run, each with the one behind it if there is one: what finds any part of it.
pub fn pairs(run: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let begins = run
        .char_indices()
        .map(|(at, letter)| (at, at + letter.len_utf8()));
    begins.map(move |(at, end)| {
        let next = run[end..].chars().next();
        let pair = next.map(|next| &run[at..end + next.len_utf8()]);
        (&run[at..end], pair)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Run,
}

impl Kind {
    fn part(self, text: &str) -> Part<'_> {
        match self {
            Self::Word => Part::Word(text),
            Self::Run => Part::Run(text),
        }
    }
}

fn kind_of(letter: char) -> Option<Kind> {
    if !letter.is_alphanumeric() {
        return None;
    }
    Some(match letter {
        // Thai, Lao; Burmese; Hangul as single letters; Khmer.
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}'
        | '\u{1780}'..='\u{17ff}'
        // Han signs that stand for Han, Kana, Bopomofo, more of both.
        | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3041}'..='\u{312f}'
        | '\u{31a0}'..='\u{31bf}' | '\u{31f0}'..='\u{31ff}'
        // Han, Hangul, Han again.
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}' | '\u{1b000}'..='\u{1b16f}' | '\u{20000}'..='\u{323af}' => {
            Kind::Run
        }
        _ => Kind::Word,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Part, fold, pairs, parts};

    #[test]
    fn what_people_type_meets_what_people_are_called() {
        for (called, typed) in [
            ("Élodie Çelik", "elodie celik"),
            ("STRASSE", "straße"),
            ("STRAẞE", "strasse"),
            ("Ὀδυσσεύς", "οδυσσευσ"),
            ("ﬁona", "FIONA"),
            ("Ａｌｉｃｅ", "alice"),
            ("ｱﾘｽ", "ありす"),
            ("アリス", "ありす"),
            ("Søren Łukasz", "soren lukasz"),
            ("Ǣlfred", "aelfred"),
            ("İlkay", "ilkay"),
            ("Йулия", "иулия"),
            ("王小明", "王小明"),
            ("e\u{301}", "é"),
        ] {
            assert_eq!(fold(called), fold(typed), "{called}");
        }
    }

    #[test]
    fn what_makes_another_word_stays() {
        for (one, other) in [("राम", "रम"), ("が", "か"), ("王", "玉"), ("한", "하")]
        {
            assert_ne!(fold(one), fold(other), "{one}");
        }
        assert!(!fold("がき").contains(&fold("か")));
    }

    fn shown(text: &str) -> String {
        let folded = fold(text);
        let shown = parts(&folded).into_iter().map(|part| match part {
            Part::Word(word) => word.to_owned(),
            Part::Run(run) => format!("[{run}]"),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_are_told_apart_and_runs_of_chinese_are_kept_whole() {
        for (text, wanted) in [
            ("The Café, re-opened: 3.14!", "the cafe re opened 3 14"),
            (
                "明天的会议，在iPhone手机上",
                "[明天的会议] [在] iphone [手机上]",
            ),
            ("東京タワー", "[東京たわー]"),
            ("회의가 있다", "[회의가] [있다]"),
            ("ประชุม วันนี้", "[ประชุม] [วันนี้]"),
            ("हिन्दी में", "हिन्दी में"),
            ("２０２６年", "2026 [年]"),
            ("!?… 👍 \u{301}", ""),
            ("", ""),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }

    #[test]
    fn each_letter_of_a_run_is_paired_with_the_next() {
        let pairs: Vec<_> = pairs("会议室").collect();
        let wanted = [("会", Some("会议")), ("议", Some("议室")), ("室", None)];
        assert_eq!(pairs, wanted);
    }

    proptest! {
        #[test]
        fn parts_stand_in_the_text_in_their_order(text in any::<String>()) {
            let folded = fold(&text);
            let mut rest = folded.as_str();
            for part in parts(&folded) {
                let (Part::Word(text) | Part::Run(text)) = part;
                prop_assert!(!text.is_empty());
                let at = rest.find(text);
                rest = &rest[at.unwrap() + text.len()..];
            }
        }

        #[test]
        fn folding_again_changes_nothing(text in any::<String>()) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }
}

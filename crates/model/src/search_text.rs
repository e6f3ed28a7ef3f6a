//! Text as it is compared when somebody searches: without case, accents, and forms of letters.

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

/// Upper case first: `ß` and `ẞ`, `ς` and `σ` then meet.
fn without_case(letter: char) -> impl Iterator<Item = char> {
    letter.to_uppercase().flat_map(char::to_lowercase)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fold;

    #[test]
    fn what_people_type_meets_what_people_are_called() {
        for (called, typed) in [
            ("Élodie Çelik", "elodie celik"),
            ("STRASSE", "straße"),
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

    proptest! {
        #[test]
        fn folding_again_changes_nothing(text in any::<String>()) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }
}

//! The known name nearest to a mistyped one.

use strsim::damerau_levenshtein;

/// Longer names are not compared: nobody mistypes that much, and the comparison is quadratic.
const LONGEST_COMPARED: usize = 64;

/// Finds the known name that `given` was most likely meant to be.
///
/// A name counts as near when a third of its letters or fewer differ; failing that, when it is
/// the only one with the same last part (`listening.max_size` for `files.max_size`).
pub(crate) fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    if given.len() > LONGEST_COMPARED {
        return None;
    }
    let given = given.to_lowercase();
    let (distance, name) = known
        .iter()
        .map(|name| (damerau_levenshtein(&given, name), *name))
        .min()?;
    if distance <= (name.len() / 3).max(1) {
        return Some(name);
    }
    let mut same_end = known
        .iter()
        .filter(|name| last_part(name) == last_part(&given));
    match (same_end.next(), same_end.next()) {
        (Some(name), None) => Some(name),
        _ => None,
    }
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Cuts a text an operator gave to what fits in a sentence.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_COMPARED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KNOWN: &[&str] = &[
        "server.name",
        "server.listen",
        "metrics.listen",
        "files.max_size",
    ];

    #[test]
    fn a_slip_of_the_finger_finds_its_key() {
        assert_eq!(nearest("server.nmae", KNOWN), Some("server.name"));
        assert_eq!(nearest("Server.Listn", KNOWN), Some("server.listen"));
    }

    #[test]
    fn a_key_in_the_wrong_section_is_found_when_it_is_the_only_one() {
        assert_eq!(nearest("max_size", KNOWN), Some("files.max_size"));
        assert_eq!(nearest("listen", KNOWN), None);
    }

    #[test]
    fn an_unrelated_or_endless_name_gets_no_suggestion() {
        assert_eq!(nearest("kitchen.sink", KNOWN), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), KNOWN), None);
    }
}

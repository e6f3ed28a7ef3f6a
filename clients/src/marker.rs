//! A text that nobody else writes, and where it is found.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use memchr::memmem;

/// Stands in every text that only the clients may read.
pub const MARKER: &str = "QUINCES-BEHIND-THE-PICKLED-WALNUTS";

/// Searches files, and files in folders, for the marker in any of its forms.
///
/// # Errors
///
/// When one of them cannot be read.
pub fn search(places: &[&Path]) -> Result<Vec<String>> {
    let forms = forms(MARKER);
    let mut findings = Vec::new();
    let mut remaining: Vec<PathBuf> = places.iter().map(|place| place.to_path_buf()).collect();
    while let Some(place) = remaining.pop() {
        let kind = fs::metadata(&place).with_context(|| format!("cannot look at {place:?}"))?;
        if kind.is_dir() {
            for entry in fs::read_dir(&place)? {
                remaining.push(entry?.path());
            }
        } else if kind.is_file() {
            let bytes = fs::read(&place).with_context(|| format!("cannot read {place:?}"))?;
            let found = forms
                .iter()
                .filter(|(_, form)| memmem::find(&bytes, form).is_some());
            findings.extend(found.map(|(name, _)| format!("{name} in {}", place.display())));
        }
    }
    Ok(findings)
}

/// Every form in which `text` could have been written down, each with its name.
fn forms(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let utf16 = |bytes_of: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes_of).collect();
    let mut forms = vec![
        ("plain", text.into()),
        ("UTF-16, little end first", utf16(u16::to_le_bytes)),
        ("UTF-16, big end first", utf16(u16::to_be_bytes)),
    ];
    for before in 0..3 {
        // What comes before decides how the text falls into groups of three bytes. The characters
        // that mix it with its neighbours are left out.
        let bytes = [&vec![0; before], text.as_bytes()].concat();
        let inner = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        let standard = STANDARD_NO_PAD.encode(&bytes)[inner.clone()].into();
        let url_safe = URL_SAFE_NO_PAD.encode(&bytes)[inner].into();
        forms.extend([("base64", standard), ("base64 for URLs", url_safe)]);
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes one file into a folder within a folder, and searches the outer one.
    fn found(content: &[u8]) -> Result<Vec<String>> {
        let folder = tempfile::tempdir()?;
        let inner = folder.path().join("files");
        fs::create_dir(&inner)?;
        fs::write(inner.join("page"), content)?;
        search(&[folder.path()])
    }

    #[test]
    fn the_marker_is_found_in_every_form() -> Result<()> {
        for before in ["", "a", "ab", "abc"] {
            let text = format!("{before} {MARKER}, and more");
            assert_eq!(found(text.as_bytes())?.len(), 1, "plain");
            assert!(!found(STANDARD_NO_PAD.encode(&text).as_bytes())?.is_empty());
            assert!(!found(URL_SAFE_NO_PAD.encode(&text).as_bytes())?.is_empty());
            for bytes_of in [u16::to_le_bytes, u16::to_be_bytes] {
                let utf16: Vec<u8> = text.encode_utf16().flat_map(bytes_of).collect();
                assert!(!found(&utf16)?.is_empty(), "UTF-16");
            }
        }
        Ok(())
    }

    #[test]
    fn nothing_is_found_where_the_marker_is_not() -> Result<()> {
        let other = MARKER.to_lowercase();
        assert_eq!(found(other.as_bytes())?, Vec::<String>::new());
        assert_eq!(found(&MARKER.as_bytes()[1..])?, Vec::<String>::new());
        Ok(())
    }
}

//! Searching bytes for words, in every form in which a program might have written them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use aho_corasick::AhoCorasick;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

use crate::markers::Markers;

/// Names of the forms, in the order of `forms`.
const FORMS: [&str; 11] = [
    "as it is",
    "UTF-16, little end first",
    "UTF-16, big end first",
    "hexadecimal",
    "HEXADECIMAL",
    "base64, at 0 of 3",
    "base64, at 1 of 3",
    "base64, at 2 of 3",
    "base64 for URLs, at 0 of 3",
    "base64 for URLs, at 1 of 3",
    "base64 for URLs, at 2 of 3",
];

/// The bytes in every form.
fn forms(bytes: &[u8]) -> [Vec<u8>; FORMS.len()] {
    let little = bytes.iter().flat_map(|byte| [*byte, 0]).collect();
    let big = bytes.iter().flat_map(|byte| [0, *byte]).collect();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64 = |engine: &dyn Fn(&[u8]) -> String, before: usize| {
        let text = engine(&[&vec![0; before], bytes].concat());
        // What the neighbours share a letter with differs.
        let from = (before * 8).div_ceil(6);
        let until = (before + bytes.len()) * 8 / 6;
        text.as_bytes()[from..until].to_vec()
    };
    let standard = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
    let for_urls = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    [
        bytes.to_vec(),
        little,
        big,
        hex.clone().into_bytes(),
        hex.to_uppercase().into_bytes(),
        base64(&standard, 0),
        base64(&standard, 1),
        base64(&standard, 2),
        base64(&for_urls, 0),
        base64(&for_urls, 1),
        base64(&for_urls, 2),
    ]
}

/// Every word in every form, with something between them.
pub(crate) fn in_every_form(markers: &Markers) -> Vec<u8> {
    let forms = markers
        .all()
        .iter()
        .flat_map(|marker| forms(marker.text.as_bytes()));
    forms
        .flat_map(|form| [form, b" ... ".to_vec()].concat())
        .collect()
}

/// A search for words, and where they were found.
#[derive(Default)]
pub(crate) struct Scan {
    words: Vec<String>,
    patterns: Vec<Vec<u8>>,
    search: Option<AhoCorasick>,
    /// By pattern, the places.
    found: BTreeMap<usize, BTreeSet<String>>,
}

impl Scan {
    pub(crate) fn for_markers(markers: &Markers) -> Self {
        let mut scan = Self::default();
        for marker in markers.all() {
            scan.add(&marker.text);
        }
        scan
    }

    pub(crate) fn add(&mut self, word: &str) {
        self.add_bytes(word, word.as_bytes());
    }

    /// Searches for bytes, which have a name here.
    pub(crate) fn add_bytes(&mut self, name: &str, bytes: &[u8]) {
        self.words.push(name.to_owned());
        self.patterns.extend(forms(bytes));
        self.search = None;
    }

    /// Searches all files of a folder, and of the folders inside.
    pub(crate) fn folder(&mut self, folder: &Path) {
        let mut files = 0;
        visit(folder, &mut |path| {
            self.bytes(&path.display().to_string(), &fs::read(path).unwrap());
            files += 1;
        });
        assert!(files > 0, "{} has no files", folder.display());
    }

    pub(crate) fn bytes(&mut self, place: &str, bytes: &[u8]) {
        let patterns = &self.patterns;
        let search = self
            .search
            .get_or_insert_with(|| AhoCorasick::new(patterns).unwrap());
        for hit in search.find_overlapping_iter(bytes) {
            let places = self.found.entry(hit.pattern().as_usize()).or_default();
            places.insert(place.to_owned());
        }
    }

    fn patterns_of(&self, word: &str) -> std::ops::Range<usize> {
        let index = self.words.iter().position(|other| other == word).unwrap();
        index * FORMS.len()..(index + 1) * FORMS.len()
    }

    /// Where a word was found, in whatever form.
    pub(crate) fn places(&self, word: &str) -> Vec<String> {
        let places = self
            .patterns_of(word)
            .filter_map(|index| self.found.get(&index));
        let places: BTreeSet<&String> = places.flatten().collect();
        places.into_iter().cloned().collect()
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        !self.places(word).is_empty()
    }

    /// The forms in which a word was not found.
    pub(crate) fn missed_forms(&self, word: &str) -> Vec<&'static str> {
        let range = self.patterns_of(word);
        let missed = range.zip(FORMS);
        let missed = missed.filter(|(index, _)| !self.found.contains_key(index));
        missed.map(|(_, form)| form).collect()
    }
}

/// How many files a folder holds, with those in the folders inside.
pub(crate) fn files_in(folder: &Path) -> usize {
    let mut files = 0;
    visit(folder, &mut |_| files += 1);
    files
}

fn visit(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            visit(&entry.path(), each);
        } else if kind.is_file() {
            each(&entry.path());
        }
    }
}

//! The layers of values above the defaults, and which one wins.

use std::{cmp::Ordering, collections::BTreeMap, fs::File, io::Read, path::Path};

use crate::{
    document::{Document, Given, Names},
    error::Problem,
    loading::{Moving, Overrides},
    origin::Origin,
    suggestion::shortened,
    values::Raw,
};

/// What the names of our environment variables begin with.
const PREFIX: &str = "CONCLAVE__";

/// Files with secrets are a line; this leaves room for any key format.
const LARGEST_SECRET_FILE_BYTES: u64 = 64 * 1024;

/// Two keys for one value: in place, and in a file.
struct Pair {
    value: &'static str,
    file: &'static str,
    /// Whether the file is read here; the master key's file belongs to `seal`, which also makes it.
    read: bool,
}

const PAIRS: [Pair; 7] = [
    Pair {
        value: "database.url",
        file: "database.url_file",
        read: true,
    },
    Pair {
        value: "bus.url",
        file: "bus.url_file",
        read: true,
    },
    Pair {
        value: "files.secret_access_key",
        file: "files.secret_access_key_file",
        read: true,
    },
    Pair {
        value: "registration.shared_secret",
        file: "registration.shared_secret_file",
        read: true,
    },
    Pair {
        value: "calls.turn_shared_secret",
        file: "calls.turn_shared_secret_file",
        read: true,
    },
    Pair {
        value: "mail.password",
        file: "mail.password_file",
        read: true,
    },
    Pair {
        value: "seal.key",
        file: "seal.key_file",
        read: false,
    },
];

/// Which key of a pair is in force.
enum Winner {
    Value,
    File,
    /// One layer has both, which is a mistake; the file's place is named.
    Both(Origin),
    /// They do not meet.
    Neither,
}

/// The values that were given, each key by its highest layer.
pub(crate) struct Layers {
    pub(crate) values: BTreeMap<String, Given>,
    /// Keys that have no effect, because another is in force in their place.
    pub(crate) idle: Vec<&'static str>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

impl Layers {
    /// Starts with what the file gave.
    pub(crate) fn over(document: Document) -> Self {
        let Document {
            values,
            problems,
            warnings,
        } = document;
        Self {
            values,
            idle: Vec::new(),
            problems,
            warnings,
        }
    }

    /// Lays the environment over; variables that do not begin with `CONCLAVE__` are not ours.
    pub(crate) fn environment(&mut self, variables: Vec<(String, String)>, names: &Names<'_>) {
        for (variable, text) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            let path = name.to_lowercase().replace("__", ".");
            let origin = Origin::Environment(variable.clone());
            if names.keys.contains(&path.as_str()) && variable == variable_of(&path) {
                self.values.insert(
                    path,
                    Given {
                        raw: Raw::Bare(text),
                        origin,
                    },
                );
            } else if names.is_coming(&path) {
                let message = format!("{path} belongs to the next release and has no effect yet");
                self.warnings.push(Problem::new(origin, message));
            } else {
                let origin = Origin::Environment(shortened(&variable));
                self.problems.push(unknown_variable(origin, &path, names));
            }
        }
    }

    /// Lays the command line over.
    pub(crate) fn command_line(&mut self, overrides: Overrides) {
        let Overrides {
            data_dir,
            server_name,
            listen,
            moving,
        } = overrides;
        let moves = !matches!(moving, Moving::No);
        let (mut url, mut url_file, mut files) = (None, None, None);
        if let Moving::To {
            database_url,
            database_url_file,
            files_url,
        } = moving
        {
            url = database_url.map(|url| url.expose().to_owned());
            (url_file, files) = (database_url_file, files_url);
        }
        for (path, option, text) in [
            ("server.data_dir", "--data-dir", data_dir),
            ("server.name", "--server-name", server_name),
            ("server.listen", "--listen", listen),
            ("database.url", "--to", url),
            ("database.url_file", "--to-file", url_file),
            ("files.url", "--files", files),
        ] {
            if let Some(text) = text {
                let given = Given {
                    raw: Raw::Bare(text),
                    origin: Origin::CommandLine(option),
                };
                self.values.insert(path.to_owned(), given);
            }
        }
        if moves {
            self.forget_keys_without_s3();
        }
    }

    /// Files that move to S3, or out of it, are on one side only, and its keys are for that side.
    fn forget_keys_without_s3(&mut self) {
        let is_in_s3 = self.values.get("files.url").is_some_and(|given| {
            matches!(&given.raw, Raw::Bare(url) | Raw::Text(url) if url.starts_with("s3://"))
        });
        if !is_in_s3 {
            for key in [
                "files.access_key_id",
                "files.secret_access_key",
                "files.secret_access_key_file",
                "files.ca_file",
            ] {
                self.values.remove(key);
            }
        }
    }

    /// Settles keys that come in place or in a file: the higher layer wins, and files are read.
    pub(crate) fn settle_pairs(&mut self) {
        for pair in PAIRS {
            let Pair { value, file, read } = pair;
            match self.winner(&pair) {
                Winner::Value => drop(self.values.remove(file)),
                Winner::File if read => self.read_into(value, file),
                Winner::File => drop(self.values.remove(value)),
                Winner::Both(origin) => {
                    let message = format!("{file} and {value} are both set; keep one of them");
                    self.problems.push(Problem::new(origin, message));
                }
                Winner::Neither => {}
            }
            // A default would stand for the file that is not read here.
            let given = self.values.get(value);
            if !read && given.is_some_and(|given| !given.raw.is_blank()) {
                self.idle.push(file);
            }
        }
    }

    /// Tells which key of a pair is in force.
    fn winner(&self, pair: &Pair) -> Winner {
        let Some(file) = self
            .values
            .get(pair.file)
            .filter(|given| !given.raw.is_blank())
        else {
            return Winner::Neither;
        };
        let Some(value) = self.values.get(pair.value) else {
            return Winner::File;
        };
        let blank = value.raw.is_blank();
        match value.origin.rank().cmp(&file.origin.rank()) {
            // Blank switches an optional secret off, but a master key there must be.
            _ if blank && !pair.read => Winner::Neither,
            Ordering::Greater => Winner::Value,
            Ordering::Equal if !blank => Winner::Both(file.origin.clone()),
            _ => Winner::File,
        }
    }

    fn read_into(&mut self, value: &'static str, file: &'static str) {
        let Some(Given {
            raw: Raw::Bare(path) | Raw::Text(path),
            origin,
        }) = self.values.get(file)
        else {
            // Not a path: reading the file's own key says so.
            return;
        };
        let origin = origin.clone();
        match read_secret(Path::new(path)) {
            Ok(text) => {
                self.values.insert(
                    value.to_owned(),
                    Given {
                        raw: Raw::Text(text),
                        origin,
                    },
                );
            }
            Err(reason) => {
                let message = format!("{file}: \"{}\" {reason}", shortened(path));
                let accepted = format!("the path of a readable file that holds {value}");
                self.problems
                    .push(Problem::new(origin, message).accepting(accepted));
            }
        }
    }
}

/// The environment variable that overrides a key.
pub(crate) fn variable_of(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

fn unknown_variable(origin: Origin, path: &str, names: &Names<'_>) -> Problem {
    let hint = match crate::suggestion::nearest(path, names.keys) {
        Some(name) => format!("did you mean {}?", variable_of(name)),
        None => "docs/configuration.md lists the keys".to_owned(),
    };
    Problem::new(origin, format!("sets no key ({hint})"))
}

/// Reads a file that holds one secret; the line break that editors add at the end is not part of it.
fn read_secret(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| {
            file.take(LARGEST_SECRET_FILE_BYTES + 1)
                .read_to_string(&mut text)
        })
        .map_err(|error| format!("cannot be read ({error})"))?;
    if text.len() as u64 > LARGEST_SECRET_FILE_BYTES {
        return Err("is too large for a secret".to_owned());
    }
    let secret = text.trim_end_matches(['\n', '\r']);
    if secret.is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(secret.to_owned())
}

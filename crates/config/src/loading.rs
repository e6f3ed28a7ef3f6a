//! From sources to a configuration.

use std::{fmt, fs::File, io::Read, path::PathBuf, sync::Arc};

use crate::{
    document::{Document, Names},
    error::{ConfigError, Problem},
    layers::Layers,
    origin::Origin,
    reader::{Outcome, Reader},
    sections::{
        self, Appservices, Bus, Calls, Database, Encryption, Files, Log, Mail, Metrics, Notices,
        Presence, Previews, Push, RateLimits, Registration, Rooms, Seal, Server, Support,
    },
    values::Secret,
};

/// A configuration file has a page or two; a larger one is some other file.
const LARGEST_FILE_BYTES: u64 = 256 * 1024;

/// Keys and sections of the next release, which this one skips with a warning instead of refusing
/// them, so that one file can serve both during an upgrade.
const COMING: &[&str] = &[];

/// Everything a node is told before it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[metrics]`
    pub metrics: Metrics,
    /// `[database]`
    pub database: Database,
    /// `[bus]`
    pub bus: Bus,
    /// `[files]`
    pub files: Files,
    /// `[seal]`
    pub seal: Seal,
    /// `[registration]`
    pub registration: Registration,
    /// `[encryption]`
    pub encryption: Encryption,
    /// `[rooms]`
    pub rooms: Rooms,
    /// `[presence]`
    pub presence: Presence,
    /// `[previews]`
    pub previews: Previews,
    /// `[push]`
    pub push: Push,
    /// `[appservices]`
    pub appservices: Appservices,
    /// `[calls]`
    pub calls: Calls,
    /// `[mail]`
    pub mail: Mail,
    /// `[support]`
    pub support: Support,
    /// `[notices]`
    pub notices: Notices,
    /// `[rate_limits]`
    pub rate_limits: RateLimits,
    /// `[log]`
    pub log: Log,
}

/// Where values come from, the lowest layer first; the default is no layer at all.
#[derive(Clone, Default)]
pub struct Sources {
    /// The configuration file.
    pub file: Option<SourceFile>,
    /// The process's environment; variables that are not ours are skipped.
    pub environment: Vec<(String, String)>,
    /// Options of the command line.
    pub overrides: Overrides,
}

/// A configuration file, or a text that stands for one; it has no `Debug`, for it holds secrets.
#[derive(Clone)]
pub enum SourceFile {
    /// A file to read.
    Path(PathBuf),
    /// A text, and what messages call it.
    Text {
        /// The name in messages.
        name: String,
        /// The TOML.
        text: String,
    },
}

/// Options of the command line that stand for keys.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--data-dir`, for `server.data_dir`
    pub data_dir: Option<String>,
    /// `--server-name`, for `server.name`
    pub server_name: Option<String>,
    /// `--listen`, for `server.listen`; several addresses are joined by commas
    pub listen: Option<String>,
    /// `--to` and its kind, for where a deployment moves to
    pub moving: Moving,
}

/// What `migrate` is told on the command line, and for which side the configuration is read.
#[derive(Debug, Clone, Default)]
pub enum Moving {
    /// Nothing moves.
    #[default]
    No,
    /// From where it is. Keys of S3 may be set here and there, whichever side has files in it.
    From,
    /// To where it goes.
    To {
        /// `--to`, for `database.url`
        database_url: Option<Secret>,
        /// `--to-file`, for `database.url_file`
        database_url_file: Option<String>,
        /// `--files`, for `files.url`
        files_url: Option<String>,
    },
}

impl Sources {
    /// Reads this configuration file.
    #[must_use]
    pub fn with_file(self, path: impl Into<PathBuf>) -> Self {
        Self {
            file: Some(SourceFile::Path(path.into())),
            ..self
        }
    }

    /// Reads this text as if it were a configuration file.
    #[must_use]
    pub fn with_text(self, name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            file: Some(SourceFile::Text {
                name: name.into(),
                text: text.into(),
            }),
            ..self
        }
    }

    /// Takes this environment.
    #[must_use]
    pub fn with_environment(self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            environment: variables.into_iter().collect(),
            ..self
        }
    }

    /// Takes these command-line options.
    #[must_use]
    pub fn with_overrides(self, overrides: Overrides) -> Self {
        Self { overrides, ..self }
    }
}

/// A configuration, and how it came about.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every key that has an effect, with its value and origin, in the order of the manual.
    pub entries: Vec<Entry>,
    /// What was skipped, though it did not have to be refused.
    pub warnings: Vec<Problem>,
}

impl Loaded {
    /// Gives the origin of a key's value, by the key's name with its section.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.origin)
    }
}

/// Shows every key with its value and origin, one a line.
impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Entry { key, value, origin } in &self.entries {
            writeln!(f, "{key} = {value}  # {origin}")?;
        }
        Ok(())
    }
}

/// One key, its effective value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key with its section: `server.name`.
    pub key: &'static str,
    /// The value in TOML, with secrets masked.
    pub value: String,
    /// Where the value came from; for a secret that was read from a file, where the file is named.
    pub origin: Origin,
}

impl Config {
    /// Lays the sources over the defaults and checks the whole.
    ///
    /// Reads the configuration file and the files that hold secrets, and nothing else. The error
    /// names every problem at once.
    pub fn load(sources: Sources) -> Result<Loaded, ConfigError> {
        load_expecting(sources, COMING)
    }

    fn read(reader: &Reader) -> Option<Self> {
        // Every section is read before the first `?`, so that one run names every problem.
        let server = Server::read_checked(reader);
        let metrics = Metrics::read(reader);
        let database = Database::read(reader);
        let bus = Bus::read_checked(reader);
        let files = Files::read_checked(reader);
        let seal = Seal::read(reader);
        let registration = Registration::read_checked(reader);
        let encryption = Encryption::read(reader);
        let rooms = Rooms::read(reader);
        let presence = Presence::read(reader);
        let previews = Previews::read(reader);
        let push = Push::read(reader);
        let appservices = Appservices::read(reader);
        let calls = Calls::read_checked(reader);
        let mail = Mail::read_checked(reader);
        let support = Support::read(reader);
        let notices = Notices::read(reader);
        let rate_limits = RateLimits::read(reader);
        let log = Log::read(reader);
        Some(Self {
            server: server?,
            metrics: metrics?,
            database: database?,
            bus: bus?,
            files: files?,
            seal: seal?,
            registration: registration?,
            encryption: encryption?,
            rooms: rooms?,
            presence: presence?,
            previews: previews?,
            push: push?,
            appservices: appservices?,
            calls: calls?,
            mail: mail?,
            support: support?,
            notices: notices?,
            rate_limits: rate_limits?,
            log: log?,
        })
    }
}

fn load_expecting(sources: Sources, coming: &[&'static str]) -> Result<Loaded, ConfigError> {
    let Sources {
        file,
        environment,
        overrides,
    } = sources;
    let keys: Vec<sections::Key> = sections::all()
        .into_iter()
        .flat_map(|section| section.keys)
        .collect();
    let paths: Vec<&'static str> = keys.iter().map(|key| key.path).collect();
    let names = Names {
        keys: &paths,
        coming,
    };
    let (document, text) = read_document(file, &names)?;
    let mut layers = Layers::over(document);
    layers.environment(environment, &names);
    layers.command_line(overrides);
    layers.settle_pairs();
    let reader = Reader::new(layers, text, keys);
    let config = Config::read(&reader);
    let Outcome {
        entries,
        problems,
        warnings,
    } = reader.finish();
    match config {
        Some(config) if problems.is_empty() => Ok(Loaded {
            config,
            entries,
            warnings,
        }),
        _ => Err(ConfigError::new(problems)),
    }
}

fn read_document(
    file: Option<SourceFile>,
    names: &Names<'_>,
) -> Result<(Document, String), ConfigError> {
    let (name, text): (Arc<str>, String) = match file {
        None => return Ok((Document::default(), String::new())),
        Some(SourceFile::Text { name, text }) => (name.into(), text),
        Some(SourceFile::Path(path)) => {
            let name: Arc<str> = path.to_string_lossy().into();
            let text = read_text(&path).map_err(|message| {
                let origin = Origin::File {
                    name: Arc::clone(&name),
                    line: 1,
                    column: 1,
                };
                ConfigError::new(vec![Problem::new(origin, message)])
            })?;
            (name, text)
        }
    };
    Ok((Document::parse(&name, &text, names), text))
}

fn read_text(path: &PathBuf) -> Result<String, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST_FILE_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| format!("the configuration file cannot be read ({error})"))?;
    if text.len() as u64 > LARGEST_FILE_BYTES {
        return Err("the configuration file is larger than 256 KiB".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{Sources, load_expecting};

    #[test]
    fn keys_of_the_next_release_are_skipped_with_a_warning() {
        let sources = Sources::default()
            .with_text(
                "c.toml",
                "[server]\nmotto = \"hi\"\n[search]\nurl = \"x\"\n",
            )
            .with_environment([("CONCLAVE__SEARCH__URL".to_owned(), "y".to_owned())]);
        let loaded = load_expecting(sources, &["search", "server.motto"]).expect("warnings only");
        let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        let belongs = "belongs to the next release and has no effect yet";
        assert_eq!(
            warnings,
            [
                format!("c.toml:3:2: search {belongs}"),
                format!("c.toml:2:1: server.motto {belongs}"),
                format!("environment variable CONCLAVE__SEARCH__URL: search.url {belongs}"),
            ]
        );
    }

    #[test]
    fn a_key_of_a_later_release_is_refused() {
        let sources = Sources::default().with_text("c.toml", "[searches]\nurl = \"x\"\n");
        assert!(load_expecting(sources, &["search"]).is_err());
    }
}

//! The sample file and the reference manual, written from the sections themselves.

use crate::{
    layers::variable_of,
    loading::{Config, Loaded, Sources},
    sections::{self, Fallback, Key, Section},
};

const SAMPLE_HEAD: &str = "\
# Every key of Conclave's configuration, with its default.
# Uncomment what you change. docs/configuration.md says more.
#
# Written from the doc comments in crates/config/src/sections/ by
# `cargo run -p config --example write-docs`.
";

const REFERENCE_HEAD: &str = "\
<!-- Written from the doc comments in crates/config/src/sections/ by
     `cargo run -p config --example write-docs`. -->

# Configuration

Conclave runs without any configuration. What you change goes into one TOML file, which
`conclave serve --config FILE` reads; [conclave.sample.toml](conclave.sample.toml) has every key.

- **Layers.** The command line (`--data-dir`, `--server-name`, `--listen`) wins over environment
  variables, these win over the file, and the file over the defaults.
- **Environment.** A variable is called `CONCLAVE__SECTION__KEY`. Items of a list are joined by
  commas. The empty text switches an optional key off.
- **Secrets.** A key that ends in `_file` beside a secret names a file to read the secret from. Set
  one of the two: the same layer with both is an error, otherwise the higher layer wins.
- **Checking.** `conclave config check` prints each key with its value and where it came from,
  secrets masked. It names each mistake with file, line and column, and what would be accepted.
  Unknown keys are mistakes.
- **Paths** are relative to the directory in which the server is started. What follows `sqlite://`
  and `file://` is such a path as it stands: `sqlite:///srv/chat.db` is an absolute one.
";

/// Writes the sample file: every key, commented out, with its default.
pub fn sample() -> String {
    let defaults = defaults();
    let mut text = SAMPLE_HEAD.to_owned();
    for Section { path, about, keys } in sections::all() {
        text.push('\n');
        comment(&mut text, about.iter().copied());
        text.push_str(&format!("[{path}]\n"));
        for key in keys {
            text.push('\n');
            comment(&mut text, key.about.iter().copied());
            comment(&mut text, [format!("Accepted: {}", key.accepts).as_str()]);
            if let Fallback::Derived { rule, .. } = key.fallback {
                comment(&mut text, [format!("Default: {rule}").as_str()]);
            }
            let name = key.path.rsplit('.').next().unwrap_or(key.path);
            text.push_str(&format!("#{name} = {}\n", default_of(&defaults, &key)));
        }
    }
    text
}

/// Writes the reference manual in Markdown.
pub fn reference() -> String {
    let defaults = defaults();
    let mut text = REFERENCE_HEAD.to_owned();
    for Section { path, about, keys } in sections::all() {
        text.push_str(&format!("\n## `[{path}]`\n\n{}\n", prose(about)));
        for key in keys {
            let default = match key.fallback {
                Fallback::Text(_) => format!("`{}`", default_of(&defaults, &key)),
                Fallback::Derived { rule, .. } => {
                    format!("{rule}: `{}`", default_of(&defaults, &key))
                }
            };
            text.push_str(&format!(
                "\n### `{}`\n\n{}\n\n- accepted: {}\n- default: {default}\n- environment: `{}`\n",
                key.path,
                prose(key.about),
                key.accepts,
                variable_of(key.path),
            ));
        }
    }
    text
}

fn defaults() -> Loaded {
    Config::load(Sources::default()).expect("every default is accepted by its own key")
}

fn default_of(defaults: &Loaded, key: &Key) -> String {
    let entry = defaults.entries.iter().find(|entry| entry.key == key.path);
    entry.expect("loading notes every key").value.clone()
}

fn prose(lines: &[&str]) -> String {
    lines
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ")
}

fn comment<'a>(text: &mut String, lines: impl IntoIterator<Item = &'a str>) {
    for line in lines {
        text.push_str(&format!("# {}\n", line.trim()));
    }
}

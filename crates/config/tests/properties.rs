//! Whatever an operator writes, loading answers with a configuration or with problems.

use config::{Config, Sources};
use proptest::prelude::{Strategy, any, prop_assert, proptest};
use proptest::{collection::vec, prop_oneof, sample::select};

fn keys() -> Vec<&'static str> {
    let defaults = Config::load(Sources::default()).expect("defaults load");
    defaults.entries.iter().map(|entry| entry.key).collect()
}

/// Something like a value: right and wrong ones, and texts of any characters.
fn value() -> impl Strategy<Value = String> {
    let scraps = [
        "\"",
        "[",
        "]",
        "{",
        "}",
        "a = 1",
        "0x7f",
        "1e400",
        "1979-05-27",
        "''",
        "\"\"",
        "99999999999999999999",
        "[[1]]",
        "\"127.0.0.1:8008\"",
        "\"sqlite://\"",
        "\"s3://abc?endpoint=http://a&region=x\"",
        "\"s3://?endpoint=%&&==\"",
        "\"[::1\"",
        "\"0.0.0.0/0\"",
        "\"a,,=[{\"",
        "\"\\u0000\"",
        "\"1.5 EiB\"",
        "true",
        "-0",
        "\u{feff}",
        "\n",
    ];
    prop_oneof![
        select(scraps.to_vec()).prop_map(str::to_owned),
        ".{0,40}",
        ".{0,40}".prop_map(|text| toml::Value::from(text).to_string()),
    ]
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), line in "[a-z.\\[\\]=\"#{}0-9 \n]{0,80}") {
        for text in [text, line] {
            if let Err(error) = Config::load(Sources::default().with_text("c.toml", text)) {
                prop_assert!(!error.problems().is_empty());
            }
        }
    }

    #[test]
    fn no_value_of_a_known_key_panics(lines in vec((select(keys()), value()), 1..4)) {
        let text: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        if let Err(error) = Config::load(Sources::default().with_text("c.toml", text)) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_environment_panics(
        key in prop_oneof![select(keys()).prop_map(str::to_owned), ".{0,40}"],
        value in ".{0,40}",
    ) {
        // File keys are left out: what they name would be read.
        let variable = format!("CONCLAVE__{}", key.to_uppercase().replace('.', "__"));
        if !variable.ends_with("_FILE") {
            let sources = Sources::default().with_environment([(variable, value)]);
            if let Err(error) = Config::load(sources) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same(
        port in any::<u16>(), size in 1..i64::MAX, level in select(vec!["info", "warn,store=debug"]),
    ) {
        let text = format!("server.listen = \"[::1]:{port}\"\nfiles.max_size = {size}\nlog.level = \"{level}\"\n");
        let first = Config::load(Sources::default().with_text("c.toml", text)).unwrap();
        let shown = first.entries.iter().map(|entry| format!("{} = {}\n", entry.key, entry.value));
        let second = Config::load(Sources::default().with_text("c.toml", shown.collect::<String>())).unwrap();
        let values = |loaded: &config::Loaded| {
            loaded.entries.iter().map(|entry| entry.value.clone()).collect::<Vec<_>>()
        };
        prop_assert!(values(&first) == values(&second));
    }
}

//! Two sides of one configuration: where a deployment is, and where it goes.

use config::{Config, Loaded, Moving, Overrides, Secret, Sources};

fn load(sources: Sources) -> Loaded {
    Config::load(sources).unwrap_or_else(|error| panic!("{error}"))
}

fn value<'a>(loaded: &'a Loaded, key: &str) -> &'a str {
    let entry = loaded.entries.iter().find(|entry| entry.key == key);
    &entry.expect("the key is one").value
}

#[test]
fn where_a_deployment_moves_to_is_laid_over_all_else_and_from_where_is_not() {
    let text = "[database]\nurl = \"sqlite:///d/conclave.db\"\n\
                [files]\naccess_key_id = \"id\"\nsecret_access_key = \"secret\"\n";
    let sources = Sources::default().with_text("c.toml", text);
    // Before files are in S3, its keys are a mistake, but for who moves there.
    assert!(Config::load(sources.clone()).is_err());
    let side = |moving| {
        let overrides = Overrides {
            moving,
            ..Overrides::default()
        };
        load(sources.clone().with_overrides(overrides))
    };
    let from = side(Moving::From);
    assert_eq!(value(&from, "database.url"), "\"sqlite:///d/conclave.db\"");
    let to = side(Moving::To {
        database_url: Some(Secret::new("postgres://me:s3cret@db/chat")),
        database_url_file: None,
        files_url: Some("s3://abc?endpoint=https://s3&region=x".to_owned()),
    });
    assert_eq!(
        value(&to, "database.url"),
        "\"postgres://me:********@db/chat\""
    );
    assert!(to.config.files.access_key_id.is_some());
    assert_eq!(
        to.origin("files.url").unwrap().to_string(),
        "command line --files"
    );
}

//! What operators meet: layers, origins, messages, secrets.

use std::{fs, net::SocketAddr, path::Path};

use config::{
    Config, ConfigError, DatabaseUrl, EncryptionPolicy, FilesUrl, Loaded, Origin, Overrides,
    RegistrationMode, Sources,
};

fn text(toml: &str) -> Sources {
    Sources::default().with_text("c.toml", toml)
}

fn environment(variables: &[(&str, &str)]) -> Sources {
    let pairs = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Sources::default().with_environment(pairs)
}

fn load(sources: Sources) -> Loaded {
    Config::load(sources).unwrap_or_else(|error| panic!("{error}"))
}

fn errors(sources: Sources) -> Vec<String> {
    let error: ConfigError = Config::load(sources).expect_err("the configuration is wrong");
    error.problems().iter().map(ToString::to_string).collect()
}

fn error(sources: Sources) -> String {
    let errors = errors(sources);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.into_iter().next().expect("one error")
}

fn value<'a>(loaded: &'a Loaded, key: &str) -> &'a str {
    &loaded
        .entries
        .iter()
        .find(|entry| entry.key == key)
        .expect(key)
        .value
}

#[test]
fn without_any_source_every_key_has_its_default() {
    let loaded = load(Sources::default());
    let config = &loaded.config;
    assert_eq!(config.server.name.as_str(), "localhost");
    assert_eq!(config.server.public_url.as_str(), "http://localhost:8008/");
    assert_eq!(
        config.server.listen,
        ["127.0.0.1:8008".parse::<SocketAddr>().unwrap()]
    );
    assert!(config.server.tls.is_none());
    assert!(config.server.trusted_proxies.is_empty());
    assert_eq!(config.server.data_dir, Path::new("./conclave-data"));
    assert_eq!(
        config.metrics.listen,
        Some("127.0.0.1:9008".parse().unwrap())
    );
    let DatabaseUrl::Sqlite(path) = &config.database.url else {
        panic!("not embedded")
    };
    assert_eq!(path, Path::new("./conclave-data/conclave.db"));
    assert_eq!(
        config.files.url,
        FilesUrl::Folder("./conclave-data/files".into())
    );
    assert_eq!(config.files.max_size.as_u64(), 100 << 20);
    assert_eq!(config.files.max_per_user.as_u64(), 10 << 30);
    assert!(!config.files.allow_unauthenticated);
    assert_eq!(
        config.seal.key_file,
        Path::new("./conclave-data/master.key")
    );
    assert!(config.seal.key.is_none());
    assert_eq!(config.registration.mode, RegistrationMode::Closed);
    assert!(config.registration.shared_secret.is_none());
    assert_eq!(config.encryption.rooms, EncryptionPolicy::Private);
    assert_eq!(config.rooms.default_version.as_str(), "12");
    assert!(config.presence.enabled && config.rate_limits.enabled);
    assert_eq!(config.log.level.as_str(), "info");
    assert!(
        loaded
            .entries
            .iter()
            .all(|entry| entry.origin == Origin::Default)
    );
}

#[test]
fn the_higher_layer_wins_and_is_named_as_the_origin() {
    let file = "[server]\nname = \"file\"\ndata_dir = \"/f\"\nlisten = \"127.0.0.1:1\"\n";
    let variables = [
        ("CONCLAVE__SERVER__NAME", "env"),
        ("CONCLAVE__SERVER__DATA_DIR", "/e"),
    ];
    let overrides = Overrides {
        server_name: Some("line".to_owned()),
        ..Overrides::default()
    };
    let mut sources = environment(&variables).with_overrides(overrides);
    sources.file = text(file).file;
    let loaded = load(sources);
    let listing = loaded.to_string();
    for line in [
        "server.name = \"line\"  # command line --server-name\n",
        "server.data_dir = \"/e\"  # environment variable CONCLAVE__SERVER__DATA_DIR\n",
        "server.listen = [\"127.0.0.1:1\"]  # c.toml:4:10\n",
        "database.url = \"sqlite:///e/conclave.db\"  # default\n",
        "seal.key_file = \"/e/master.key\"  # default\n",
    ] {
        assert!(listing.contains(line), "{line} is missing from\n{listing}");
    }
}

#[test]
fn every_command_line_option_sets_its_key() {
    let loaded = load(Sources::default().with_overrides(Overrides {
        data_dir: Some("/d".to_owned()),
        server_name: Some("example.org".to_owned()),
        listen: Some("127.0.0.1:1, [::1]:2".to_owned()),
        ..Overrides::default()
    }));
    assert_eq!(loaded.config.server.data_dir, Path::new("/d"));
    assert_eq!(loaded.config.server.name.as_str(), "example.org");
    assert_eq!(
        value(&loaded, "server.listen"),
        r#"["127.0.0.1:1", "[::1]:2"]"#
    );
    assert_eq!(
        loaded.origin("server.listen"),
        Some(&Origin::CommandLine("--listen"))
    );
}

#[test]
fn every_key_can_be_set_by_environment() {
    let loaded = load(Sources::default());
    for entry in &loaded.entries {
        let variable = format!("CONCLAVE__{}", entry.key.to_uppercase().replace('.', "__"));
        let problem = errors(environment(&[(&variable, "\0")]));
        assert!(
            problem
                .iter()
                .any(|text| text.contains(&variable) && text.contains(entry.key)),
            "{variable}: {problem:?}"
        );
    }
}

#[test]
fn environment_variables_of_others_are_none_of_our_business() {
    load(environment(&[
        ("PATH", "/bin"),
        ("CONCLAVE_HOME", "/x"),
        ("conclave__server__x", ""),
    ]));
}

#[test]
fn a_list_is_an_array_or_a_single_value() {
    for toml in ["listen = \"127.0.0.1:1\"", "listen = [\"127.0.0.1:1\"]"] {
        let loaded = load(text(&format!("[server]\n{toml}")));
        assert_eq!(value(&loaded, "server.listen"), r#"["127.0.0.1:1"]"#);
    }
    let proxies = load(text(
        "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]",
    ));
    assert!(proxies.config.server.trusted_proxies[0].contains("10.1.2.3".parse().unwrap()));
    assert!(proxies.config.server.trusted_proxies[1].contains("::1".parse().unwrap()));
}

#[test]
fn the_public_url_follows_name_address_and_tls() {
    for (toml, url) in [
        ("name = \"example.org\"", "http://localhost:8008/"),
        (
            "name = \"example.org\"\nlisten = \"0.0.0.0:80\"",
            "http://example.org/",
        ),
        (
            "name = \"example.org:8448\"\nlisten = \"[::]:8008\"",
            "http://example.org:8008/",
        ),
        (
            "name = \"1.2.3.4.5\"\nlisten = \"192.0.2.1:8008\"",
            "http://192.0.2.1:8008/",
        ),
        (
            "tls = { cert_file = \"c\", key_file = \"k\" }",
            "https://localhost:8008/",
        ),
        (
            "public_url = \"https://chat.example.org\"",
            "https://chat.example.org/",
        ),
    ] {
        let loaded = load(text(&format!("[server]\n{toml}")));
        assert_eq!(loaded.config.server.public_url.as_str(), url, "{toml}");
    }
}

#[test]
fn tls_needs_both_of_its_files() {
    let loaded = load(text(
        "[server.tls]\ncert_file = \"c.pem\"\nkey_file = \"k.pem\"",
    ));
    let tls = loaded.config.server.tls.expect("TLS is on");
    assert_eq!(
        (tls.cert_file.as_path(), tls.key_file.as_path()),
        (Path::new("c.pem"), Path::new("k.pem"))
    );
    assert_eq!(
        error(text("[server.tls]\nkey_file = \"k.pem\"")),
        "c.toml:2:12: server.tls.key_file is set without server.tls.cert_file; \
         accepted: both keys, or neither"
    );
}

#[test]
fn each_wrong_value_is_named_with_its_place_and_what_is_accepted() {
    for (toml, message) in [
        (
            "[registration]\nmode = \"opne\"",
            r#"c.toml:2:8: registration.mode: "opne" is not one of the choices; accepted: "closed", "token", "open""#,
        ),
        (
            "[encryption]\n  rooms = false",
            r#"c.toml:2:11: encryption.rooms: the value is a boolean, not text; accepted: "off", "private", "required""#,
        ),
        (
            "presence.enabled = \"true\"",
            "c.toml:1:20: presence.enabled: \"true\" is text, not a boolean (write it without quotes); accepted: true, false",
        ),
        (
            "[rooms]\ndefault_version = 13",
            r#"c.toml:2:19: rooms.default_version: 13 is not a room version this server knows; accepted: "1" to "12""#,
        ),
        (
            "[server]\nlisten = [\n  \"127.0.0.1:1\",\n  \"localhost\",\n]",
            r#"c.toml:4:3: server.listen: "localhost" is not an IP address with a port; accepted: an IP address with a port, such as "127.0.0.1:8008" or "[::1]:8008", or a list of these"#,
        ),
        (
            "[files]\nmax_size = \"lots\"",
            r#"c.toml:2:12: files.max_size: "lots" is not a size; accepted: a size of at least one byte, such as "64 MiB", "2 GB" or a number of bytes"#,
        ),
        (
            "[files]\nurl = \"s3://bucket\"",
            r#"c.toml:2:7: files.url: the value names no server: add ?endpoint=https:// and its name; accepted: "file://PATH", "s3://BUCKET?endpoint=https://HOST&region=REGION" with or without "&style=virtual" and "&prefix=PREFIX""#,
        ),
        (
            "[log]\nlevel = \"verbose\"",
            r#"c.toml:2:9: log.level: "verbose" is not a log level or a list of directives; accepted: "off", "error", "warn", "info", "debug", "trace", or directives such as "info,store=debug""#,
        ),
        (
            "[log]\nformat = 2024-01-01",
            r#"c.toml:2:10: log.format: the value is a date, not text; accepted: "pretty", "json""#,
        ),
        (
            "[server]\nname = \"Example.org\"",
            r#"c.toml:2:8: server.name: "Example.org" has capital letters; accepted: a host name or IP address, with or without a port, such as "example.org""#,
        ),
        (
            "[server]\nlisten = []",
            "c.toml:2:10: server.listen names no address; accepted: at least one address",
        ),
    ] {
        assert_eq!(error(text(toml)), message, "{toml}");
    }
}

#[test]
fn certificates_for_nats_need_tls_and_their_keys() {
    const URL: &str = "url = \"tls://nats\"";
    for (toml, message) in [
        (
            format!("{URL}\ncert_file = \"c.pem\""),
            "c.toml:3:13: bus.cert_file is set without bus.key_file",
        ),
        (
            format!("{URL}\nkey_file = \"k.pem\""),
            "c.toml:3:12: bus.key_file is set without bus.cert_file",
        ),
        (
            "url = \"nats://nats\"\nca_file = \"ca.pem\"".to_owned(),
            "c.toml:3:11: bus.ca_file is set without TLS",
        ),
        (
            "cert_file = \"c.pem\"\nkey_file = \"k.pem\"".to_owned(),
            "c.toml:2:13: bus.cert_file is set without TLS",
        ),
    ] {
        let told = error(text(&format!("[bus]\n{toml}")));
        assert!(told.starts_with(message), "{toml}: {told}");
    }
    let whole = format!("[bus]\n{URL}\nca_file = \"a\"\ncert_file = \"c\"\nkey_file = \"k\"");
    load(text(&whole));
}

#[test]
fn files_in_s3_need_a_key_and_no_secret_is_shown() {
    const URL: &str = "url = \"s3://abc?endpoint=http://10.0.0.1:9000&region=x\"";
    for (toml, message) in [
        (
            URL.to_owned(),
            "c.toml:2:7: files.url is set without files.access_key_id",
        ),
        (
            format!("access_key_id = \"AK\"\n{URL}"),
            "c.toml:3:7: files.url is set without files.secret_access_key",
        ),
        (
            format!(
                "{URL}\naccess_key_id = \"AK\"\nsecret_access_key = \"s3cret\"\nmax_size = \"65 GiB\""
            ),
            "c.toml:5:12: files.max_size is more than one file in S3 may have",
        ),
        (
            "secret_access_key = \"s3cret\"".to_owned(),
            "c.toml:2:21: files.secret_access_key is set without S3",
        ),
        (
            "ca_file = \"ca.pem\"".to_owned(),
            "c.toml:2:11: files.ca_file is set without S3",
        ),
        (
            "url = \"s3://AK:s3cret@abc?endpoint=http://a&region=x\"".to_owned(),
            "c.toml:2:7: files.url: the value holds a key",
        ),
    ] {
        let told = error(text(&format!("[files]\n{toml}")));
        assert!(told.starts_with(message), "{toml}: {told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, "s3cret\n").unwrap();
    let toml =
        format!("[files]\n{URL}\naccess_key_id = \"AK\"\nsecret_access_key_file = {file:?}\n");
    let loaded = load(text(&toml));
    let secret = loaded.config.files.secret_access_key.as_ref().unwrap();
    assert_eq!(secret.expose(), "s3cret");
    let listing = loaded.to_string();
    assert!(listing.contains("files.secret_access_key = \"********\""));
    assert!(!listing.contains("s3cret"), "{listing}");
    assert!(!format!("{loaded:?}").contains("s3cret"));
}

#[test]
fn a_wrong_value_names_its_variable_or_option() {
    assert_eq!(
        error(environment(&[("CONCLAVE__PRESENCE__ENABLED", "yes")])),
        "environment variable CONCLAVE__PRESENCE__ENABLED: presence.enabled: \
         \"yes\" is not a boolean; accepted: true, false"
    );
    let overrides = Overrides {
        listen: Some("8008".to_owned()),
        ..Overrides::default()
    };
    let message = error(Sources::default().with_overrides(overrides));
    assert!(
        message.starts_with("command line --listen: server.listen: \"8008\" is not"),
        "{message}"
    );
}

#[test]
fn server_names_that_the_specification_forbids_are_refused() {
    for name in [
        "",
        "a b",
        "-:x",
        "example.org:",
        "[::1",
        "a_b",
        &"a".repeat(300),
    ] {
        let message = error(text(&format!("[server]\nname = \"{name}\"")));
        assert!(message.starts_with("c.toml:2:8: server.name"), "{message}");
    }
    for name in [
        "example.org",
        "example.org:8448",
        "192.0.2.1",
        "[2001:db8::1]:8448",
    ] {
        load(text(&format!("[server]\nname = \"{name}\"")));
    }
}

#[test]
fn a_public_url_is_an_origin() {
    for url in [
        "ftp://x",
        "https://x/path",
        "https://x/?q",
        "https://u@x",
        "x",
        "https://x/#f",
    ] {
        let message = error(text(&format!("[server]\npublic_url = \"{url}\"")));
        assert!(
            message.starts_with("c.toml:2:14: server.public_url"),
            "{message}"
        );
    }
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let messages = errors(text(
        "[rooms]\ndefault_version = 0\n[log]\nformat = \"xml\"\nlevle = 1\n",
    ));
    let places: Vec<&str> = messages
        .iter()
        .filter_map(|message| message.split(": ").next())
        .collect();
    assert_eq!(places, ["c.toml:2:19", "c.toml:4:10", "c.toml:5:1"]);
}

#[test]
fn unknown_names_are_refused_with_the_nearest_known_one() {
    for (toml, message) in [
        (
            "[server]\nlisten_on = \"x\"",
            "c.toml:2:1: unknown key server.listen_on (did you mean server.listen?)",
        ),
        (
            "[sever]\nname = \"x\"",
            "c.toml:1:2: unknown section [sever] (did you mean [server]?)",
        ),
        (
            "max_size = 1",
            "c.toml:1:1: unknown key max_size (did you mean files.max_size?)",
        ),
        (
            "[kitchen]\nsink = 1",
            "c.toml:1:2: unknown section [kitchen] (docs/configuration.md lists the sections)",
        ),
        (
            "server = 1",
            "c.toml:1:1: server is a section: write its keys below [server]",
        ),
        (
            "[[server]]\nname = \"x\"",
            "c.toml:1:3: server is a section: write its keys below [server]",
        ),
    ] {
        assert_eq!(error(text(toml)), message, "{toml}");
    }
    for (variable, meant) in [
        ("CONCLAVE__SERVER__NMAE", "CONCLAVE__SERVER__NAME"),
        ("CONCLAVE__Server__Name", "CONCLAVE__SERVER__NAME"),
        ("CONCLAVE__SERVER_NAME", "CONCLAVE__SERVER__NAME"),
    ] {
        assert_eq!(
            error(environment(&[(variable, "x")])),
            format!("environment variable {variable}: sets no key (did you mean {meant}?)")
        );
    }
}

#[test]
fn what_is_not_toml_is_named_with_its_place_and_without_its_text() {
    let message = error(text("[seal]\nkey = \"s3cret\n"));
    assert!(message.starts_with("c.toml:2:"), "{message}");
    assert!(!message.contains("s3cret"), "{message}");
}

#[test]
fn columns_count_characters() {
    assert!(
        error(text("server.\"ключ\" = 1\n")).starts_with("c.toml:1:8: unknown key server.ключ")
    );
    let second = errors(text("log = { \"日本\" = 1, x = 1 }")).pop().unwrap();
    assert!(
        second.starts_with("c.toml:1:19: unknown key log.x"),
        "{second}"
    );
}

#[test]
fn a_missing_or_foreign_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let missing = error(Sources::default().with_file(&path));
    assert!(
        missing.contains("c.toml") && missing.contains("cannot be read"),
        "{missing}"
    );
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(error(Sources::default().with_file(&path)).contains("cannot be read"));
    fs::write(&path, " ".repeat((256 << 10) + 1)).unwrap();
    assert!(error(Sources::default().with_file(&path)).contains("larger than 256 KiB"));
    fs::write(&path, "[rooms]\ndefault_version = \"11\"\n").unwrap();
    let loaded = load(Sources::default().with_file(&path));
    assert_eq!(loaded.config.rooms.default_version.as_str(), "11");
}

#[test]
fn a_master_key_in_place_leaves_no_file_to_show() {
    let loaded = load(text("seal.key = \"s3cret\"\n"));
    assert!(loaded.origin("seal.key_file").is_none());
    let blank = load(text("seal.key = \"\"\n"));
    assert!(blank.origin("seal.key_file").is_some());
}

#[test]
fn no_secret_is_shown_by_listing_debug_or_error() {
    let toml = "[seal]\nkey = \"s3cret-seal\"\n[registration]\nshared_secret = \"s3cret-shared\"\n\
                [database]\nurl = \"postgres://me:s3cret-db@db/chat\"\n\
                [bus]\nurl = \"nats://me:s3cret-bus@nats\"\n";
    let loaded = load(text(toml));
    assert_eq!(
        loaded.config.seal.key.as_ref().unwrap().expose(),
        "s3cret-seal"
    );
    for shown in [
        loaded.to_string(),
        format!("{loaded:?}"),
        format!("{:#?}", loaded.config),
    ] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    assert_eq!(value(&loaded, "seal.key"), "\"********\"");
    assert_eq!(
        value(&loaded, "database.url"),
        "\"postgres://me:********@db/chat\""
    );
    assert_eq!(
        value(&loaded, "bus.url"),
        "\"nats://me:********@nats:4222\""
    );
    for wrong in [
        "bus.url = \"nats://me:s3cret@nats/\"",
        "bus.url = \"http://me:s3cret@nats\"",
        "database.url = \"mysql://me:s3cret@db\"",
        "seal.key = [\"s3cret\"]",
        "registration.shared_secret = { s3cret = \"s3cret\" }",
        "database.url = [\"postgres://me:s3cret@db\"]",
    ] {
        let message = error(text(wrong));
        assert!(!message.contains("s3cret"), "{message}");
    }
    let sources = Sources::default().with_overrides(Overrides::default());
    let sources = Sources {
        file: text("seal.key = \"s3cret").file,
        ..sources
    };
    assert!(!format!("{:?}", Config::load(sources)).contains("s3cret"));
}

#[test]
fn secrets_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "s3cret\r\n").unwrap();
    let toml = format!("[registration]\nshared_secret_file = '{}'", path.display());
    let loaded = load(text(&toml));
    assert_eq!(
        loaded
            .config
            .registration
            .shared_secret
            .as_ref()
            .unwrap()
            .expose(),
        "s3cret"
    );
    assert_eq!(
        loaded.origin("registration.shared_secret"),
        loaded.origin("registration.shared_secret_file"),
    );
    assert!(!format!("{loaded:?}{loaded}").contains("s3cret"));

    fs::write(&path, "nats://s3cret@nats\n").unwrap();
    let variable = ("CONCLAVE__BUS__URL_FILE", path.to_str().unwrap());
    let loaded = load(environment(&[variable]));
    assert_eq!(value(&loaded, "bus.url"), "\"nats://********@nats:4222\"");

    fs::write(&path, "postgres://me:s3cret@db/chat\n").unwrap();
    let variable = ("CONCLAVE__DATABASE__URL_FILE", path.to_str().unwrap());
    let loaded = load(environment(&[variable]));
    let DatabaseUrl::Postgres(url) = &loaded.config.database.url else {
        panic!("not clustered")
    };
    assert_eq!(url.expose(), "postgres://me:s3cret@db/chat");
}

#[test]
fn a_secret_file_that_holds_no_secret_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let sources = || {
        text(&format!(
            "[registration]\nshared_secret_file = '{}'",
            path.display()
        ))
    };
    assert!(error(sources()).contains("cannot be read"));
    fs::write(&path, "\n").unwrap();
    assert!(error(sources()).contains("is empty"));
    fs::write(&path, "x".repeat((64 << 10) + 1)).unwrap();
    assert!(error(sources()).contains("too large"));
}

#[test]
fn of_a_secret_and_its_file_the_higher_layer_wins_and_one_layer_has_one() {
    let file = "[registration]\nshared_secret_file = \"/nonexistent\"";
    let mut sources = environment(&[("CONCLAVE__REGISTRATION__SHARED_SECRET", "s3cret")]);
    sources.file = text(file).file;
    let loaded = load(sources);
    assert_eq!(
        loaded.config.registration.shared_secret.unwrap().expose(),
        "s3cret"
    );

    let both = error(text("[seal]\nkey = \"s3cret\"\nkey_file = \"k\""));
    assert_eq!(
        both,
        "c.toml:3:12: seal.key_file and seal.key are both set; keep one of them"
    );

    let mut sources = environment(&[("CONCLAVE__REGISTRATION__SHARED_SECRET", "")]);
    sources.file = text(file).file;
    assert!(load(sources).config.registration.shared_secret.is_none());

    let mut sources = environment(&[("CONCLAVE__SEAL__KEY", "")]);
    sources.file = text("[seal]\nkey_file = \"/k\"").file;
    assert_eq!(load(sources).config.seal.key_file, Path::new("/k"));

    let mut sources = environment(&[("CONCLAVE__SEAL__KEY_FILE", "/k")]);
    sources.file = text("[seal]\nkey = \"s3cret\"").file;
    let loaded = load(sources);
    assert!(loaded.config.seal.key.is_none());
    assert_eq!(loaded.config.seal.key_file, Path::new("/k"));
}

#[test]
fn the_empty_text_switches_an_optional_key_off_from_any_layer() {
    let mut sources = environment(&[
        ("CONCLAVE__METRICS__LISTEN", ""),
        ("CONCLAVE__REGISTRATION__SHARED_SECRET_FILE", ""),
    ]);
    sources.file = text("[registration]\nshared_secret_file = \"/nonexistent\"").file;
    let loaded = load(sources);
    assert_eq!(loaded.config.metrics.listen, None);
    assert!(loaded.config.registration.shared_secret.is_none());
}

/// A document that people agree to, with `more` below its id and version.
fn terms(more: &str) -> String {
    format!(
        "[[registration.terms]]\nid = \"privacy\"\nversion = \"1.2\"\n\
         [registration.terms.languages]\n{more}"
    )
}

#[test]
fn documents_to_agree_to_have_an_id_a_version_and_languages() {
    let english = "en = { name = \"Privacy policy\", url = \"https://example.org/p\" }\n";
    let german = "de-AT = { name = \"Datenschutz\", url = \"https://example.org/p-de\" }\n";
    let file = terms(&format!("{english}{german}"))
        + "[[registration.terms]]\nid = \"tos\"\nversion = \"2026-11-01\"\n\
           languages.en = { name = \"Terms\", url = \"https://example.org/t\" }\n";
    let loaded = load(text(&file));
    let policies = &loaded.config.registration.terms;
    assert_eq!(policies.len(), 2);
    assert_eq!(
        (policies[0].id.as_str(), policies[0].version.as_str()),
        ("privacy", "1.2")
    );
    let german = &policies[0].languages["de-AT"];
    assert_eq!(
        (german.name.as_str(), german.url.as_str()),
        ("Datenschutz", "https://example.org/p-de")
    );
    let shown = value(&loaded, "registration.terms");
    assert!(
        shown.starts_with("[{ id = \"privacy\", version = \"1.2\", languages = {"),
        "{shown}"
    );
    // What is shown can be written.
    let again = load(text(&format!("registration.terms = {shown}")));
    assert_eq!(&again.config.registration.terms, policies);
}

#[test]
fn a_document_that_cannot_be_agreed_to_is_named_with_its_place() {
    let english = "en = { name = \"Privacy policy\", url = \"https://example.org/p\" }";
    for (file, place, reason) in [
        (
            terms("de = { name = \"D\", url = \"https://e.org\" }"),
            "c.toml:4:1:",
            "has no `en`",
        ),
        (
            terms("en = { name = \"P\" }"),
            "c.toml:5:6:",
            "has no `url`",
        ),
        (
            terms("en = { name = \"P\", url = \"ftp://e.org\" }"),
            "c.toml:5:",
            "is not an http:// or https:// URL",
        ),
        (
            terms("en = { name = \" \", url = \"https://e.org\" }"),
            "c.toml:5:",
            "is not text of 1 to 255 bytes",
        ),
        (
            terms(&format!(
                "{english}\nversion = {{ name = \"V\", url = \"https://e.org\" }}"
            )),
            "c.toml:6:",
            "is no language",
        ),
        (
            terms("en = \"https://e.org\""),
            "c.toml:5:6:",
            "not a table",
        ),
        (
            terms(&format!("{english}\n")) + "[[registration.terms]]\nid = \"x\"\nversion = 2\n",
            "c.toml:8:11:",
            "is a number, not text",
        ),
        (
            format!("[[registration.terms]]\nid = \"a b\"\nversion = \"1\"\nlanguages.{english}"),
            "c.toml:2:6:",
            "has more than letters",
        ),
        (
            format!("[[registration.terms]]\nid = \"a\"\nlanguages.{english}"),
            "c.toml:1:",
            "has no `version`",
        ),
        (
            format!(
                "[[registration.terms]]\nid = \"a\"\nversion = \"1\"\nlang = 1\nlanguages.{english}"
            ),
            "c.toml:4:",
            "has a key `lang`",
        ),
        (
            terms(english) + "\n" + &terms(english),
            "c.toml:1:",
            "names an id twice",
        ),
        (
            "registration.terms = \"https://e.org\"".to_owned(),
            "c.toml:1:22:",
            "not a table in the file",
        ),
    ] {
        let problem = error(text(&file));
        assert!(problem.starts_with(place), "{file}\n{problem}");
        assert!(problem.contains(reason), "{file}\n{problem}");
        assert!(problem.contains("registration.terms"), "{problem}");
    }
    let variable = environment(&[("CONCLAVE__REGISTRATION__TERMS", "privacy")]);
    assert!(error(variable).contains("not a table in the file"));
}

#[test]
fn nesting_without_end_is_refused_rather_than_followed() {
    for text_of in [
        "a.".repeat(100_000) + "a = 1",
        format!("[{}a]", "server.".repeat(30_000)),
        format!("server.listen = {}", "[".repeat(200_000)),
        format!("server.listen = {}{}", "[".repeat(70), "]".repeat(70)),
        format!("log = {}", "{ a = ".repeat(40_000)),
    ] {
        assert!(
            errors(text(&text_of))
                .iter()
                .all(|message| message.len() < 400)
        );
    }
}

#[test]
fn mail_is_absent_or_whole() {
    let loaded = load(Sources::default());
    assert!(loaded.config.mail.host.is_none());
    let port = |encryption: &str| {
        let toml = format!(
            "[mail]\nhost = \"mail.example.org\"\nfrom = \"chat@example.org\"\n\
             encryption = \"{encryption}\"\n"
        );
        value(&load(text(&toml)), "mail.port").to_owned()
    };
    assert_eq!(
        ["starttls", "tls", "none"].map(port),
        ["587", "465", "25"].map(str::to_owned)
    );
    for (toml, message) in [
        (
            "[mail]\nhost = \"mail.example.org\"\n",
            "c.toml:2:8: mail.host is set without mail.from",
        ),
        (
            "[mail]\nfrom = \"chat@example.org\"\n",
            "c.toml:2:8: mail.from is set without mail.host",
        ),
        (
            "[mail]\nhost = \"m\"\nfrom = \"a@m\"\nuser = \"chat\"\n",
            "c.toml:4:8: mail.user is set without mail.password",
        ),
        (
            "[mail]\nhost = \"m\"\nfrom = \"a@m\"\npassword = \"chat\"\n",
            "c.toml:4:12: mail.password is set without mail.user",
        ),
        (
            "[mail]\nhost = \"m\"\nfrom = \"a@m\"\nuser = \"u\"\npassword = \"p\"\n\
             encryption = \"none\"\n",
            "c.toml:6:14: mail.encryption would send mail.password in clear",
        ),
        (
            "[mail]\nhost = \"smtp://m\"\nfrom = \"a@m\"\n",
            "c.toml:2:8: mail.host: \"smtp://m\" is neither a host name nor an IP address",
        ),
        (
            "[mail]\nhost = \"m\"\nfrom = \"Chat <a@m>\"\n",
            "c.toml:3:8: mail.from: \"Chat <a@m>\" is not an address from which mail can be sent",
        ),
        (
            "[mail]\nhost = \"m\"\nfrom = \"a@m\"\nfrom_name = \"a\\nBcc: b@m\"\n",
            "c.toml:4:13: mail.from_name: \"a\\nBcc: b@m\" holds a control character",
        ),
        (
            "[mail]\nhost = \"m\"\nfrom = \"a@m\"\nport = 70000\n",
            "c.toml:4:8: mail.port: 70000 is not a port",
        ),
    ] {
        let error = error(text(toml));
        assert!(error.starts_with(message), "{error}\n{message}");
    }
}

#[test]
fn the_password_of_the_mail_server_is_masked() {
    let toml = "[mail]\nhost = \"m\"\nfrom = \"a@m\"\nuser = \"chat\"\npassword = \"s3cret\"\n";
    let loaded = load(text(toml));
    assert_eq!(value(&loaded, "mail.password"), "\"********\"");
    assert_eq!(value(&loaded, "mail.user"), "\"chat\"");
    assert!(!format!("{loaded} {:?}", loaded.config).contains("s3cret"));
}

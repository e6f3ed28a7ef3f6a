//! Registration files: what is read of good ones, and what is said of others.

use appservices::Appservices;
use ruma::{room_alias_id, room_id, server_name, user_id};

const BRIDGE: &str = r#"
id: telegram
url: http://127.0.0.1:29317
as_token: as-secret-one
hs_token: hs-secret-one
sender_localpart: _telegram_bot
rate_limited: false
de.sorunome.msc2409.push_ephemeral: true
push_ephemeral: true
org.matrix.msc3202: true
io.element.msc4190: true
some.other.server: { anything: [1, 2] }
namespaces:
  users:
  - exclusive: true
    regex: '@telegram_.*:example\.org'
  - exclusive: false
    regex: '@ada:example\.org'
  aliases:
  - exclusive: true
    regex: '\#telegram_.*:example\.org'
  rooms: []
protocols: [telegram]
"#;

fn parse(files: &[(&str, &str)]) -> Result<Appservices, String> {
    let files = files.iter().copied();
    Appservices::parse(files, server_name!("example.org")).map_err(|refused| refused.to_string())
}

fn refusal(files: &[(&str, &str)]) -> String {
    parse(files).expect_err("it is refused")
}

#[test]
fn a_bridge_as_it_registers_itself_is_read() {
    let services = parse(&[("telegram.yaml", BRIDGE)]).unwrap();
    let service = services.by_token("as-secret-one").unwrap();
    assert_eq!(service.id(), "telegram");
    assert_eq!(service.url().unwrap().as_str(), "http://127.0.0.1:29317/");
    assert_eq!(service.hs_token(), "hs-secret-one");
    assert_eq!(service.sender(), "@_telegram_bot:example.org");
    assert!(!service.is_rate_limited());
    assert!(service.wants_ephemeral() && service.wants_device_data());
    assert_eq!(service.protocols().collect::<Vec<_>>(), ["telegram"]);
    let ghost = user_id!("@telegram_7:example.org");
    assert!(service.acts_for(ghost) && service.owns(ghost));
    assert!(service.acts_for(service.sender()) && service.owns(service.sender()));
    let ada = user_id!("@ada:example.org");
    assert!(service.acts_for(ada) && !service.owns(ada));
    let elsewhere = user_id!("@telegram_7:example.com");
    assert!(!service.acts_for(elsewhere) && !service.owns(elsewhere));
    let alias = room_alias_id!("#telegram_cats:example.org");
    assert!(service.claims_alias(alias) && service.owns_alias(alias));
    assert!(!service.claims_room(room_id!("!any:example.org")));
    assert_eq!(services.owner_of(ghost), Some(service));
    assert_eq!(services.owner_of(ada), None);
    assert_eq!(services.by_id("telegram"), Some(service));
    for wrong in ["", "as-secret-on", "as-secret-one ", "hs-secret-one"] {
        assert_eq!(services.by_token(wrong), None, "{wrong}");
    }
}

/// As mautrix has it, whose bridges use a user of their namespace instead.
#[test]
fn the_name_of_a_services_own_user_may_have_capitals() {
    let name = "z74KWpDCiU7fNXog8TnQdJDIjh-CslwvPpjZzFT2fRAIgRkSuoGOON4ugvQ0RdRl";
    let text = BRIDGE.replacen("_telegram_bot", name, 1);
    let services = parse(&[("telegram.yaml", &text)]).unwrap();
    let service = services.by_id("telegram").unwrap();
    assert_eq!(service.sender().localpart(), name);
    assert!(service.acts_for(service.sender()));
}

#[test]
fn little_is_enough() {
    let text = "id: a\nurl: null\nas_token: x\nhs_token: y\nsender_localpart: bot\n";
    let services = parse(&[("a.yaml", text)]).unwrap();
    let service = services.by_id("a").unwrap();
    assert_eq!(service.url(), None);
    assert!(!service.wants_ephemeral() && !service.wants_device_data());
    assert!(!service.is_rate_limited());
    assert!(parse(&[]).unwrap().is_empty());
}

#[test]
fn no_secret_is_shown() {
    let services = parse(&[("telegram.yaml", BRIDGE)]).unwrap();
    assert!(!format!("{services:?}").contains("secret"));
}

/// The bridge with one line in place of another, and what is said of it.
#[test]
fn what_is_wrong_with_a_file_is_told_with_its_line() {
    for (old, new, told) in [
        ("id: telegram\n", "id: ''\n", "b.yaml:2: id is empty"),
        (
            "id: telegram\n",
            "id: a|b\n",
            "b.yaml:2: id has a bar or a control character",
        ),
        (
            "as_token: as-secret-one",
            "as_token: ''",
            "b.yaml:4: as_token is empty",
        ),
        (
            "hs_token: hs-secret-one",
            "hs_token: 'two words'",
            "b.yaml:5: hs_token has characters other than visible ASCII",
        ),
        (
            "http://127.0.0.1:29317",
            "unix:/run/bridge.sock",
            "b.yaml:3: url is neither null nor an http or https address",
        ),
        (
            "http://127.0.0.1:29317",
            "http://ada:secret@127.0.0.1/",
            "b.yaml:3: url is neither null nor an http or https address",
        ),
        (
            "_telegram_bot",
            "Telegram Bot",
            "b.yaml:6: sender_localpart is no user name",
        ),
        (
            r"'@telegram_.*:example\.org'",
            "'@telegram_('",
            "b.yaml:16: namespaces.users: regex: unclosed group",
        ),
        (
            r"'\#telegram_.*:example\.org'",
            "'a{5000}{5000}'",
            "b.yaml:21: namespaces.aliases: regex: Compiled regex exceeds size limit",
        ),
    ] {
        let text = BRIDGE.replacen(old, new, 1);
        assert_ne!(text, BRIDGE, "{old}");
        let refusal = refusal(&[("b.yaml", &text)]);
        assert!(refusal.starts_with(told), "{refusal}\n{told}");
        assert!(!refusal.contains("secret"), "{refusal}");
        assert_eq!(refusal.lines().count(), 1, "{refusal}");
    }
}

#[test]
fn what_is_missing_or_no_yaml_is_told_without_secrets() {
    for (old, new, told) in [
        ("as_token: as-secret-one\n", "", "missing field `as_token`"),
        ("hs_token: hs-secret-one\n", "", "missing field `hs_token`"),
        ("id: telegram\n", "", "missing field `id`"),
        ("url: http://127.0.0.1:29317\n", "", "missing field `url`"),
        ("as_token: as-secret-one", "as_token: [as-secret-one]", ""),
        (
            "as_token: as-secret-one",
            "as_token: { as-secret-one: 1 }",
            "",
        ),
        ("as_token: as-secret-one", "as_token: 'as-secret-one", ""),
        (
            "as_token: as-secret-one",
            "as_token: &a [*a, as-secret-one]",
            "",
        ),
        ("as_token: as-secret-one", "\tas_token: as-secret-one", ""),
        (
            "as_token: as-secret-one",
            "as_token: as-secret-one\nas_token: as-secret-one",
            "",
        ),
        (
            "as_token: as-secret-one",
            "as_token: a\nas-secret-one: 1\nas-secret-one: 2",
            "a key stands twice",
        ),
        ("namespaces:", "namespaces: none\nothers:", ""),
        ("rate_limited: false", "rate_limited: as-secret-one", ""),
    ] {
        let text = BRIDGE.replacen(old, new, 1);
        assert_ne!(text, BRIDGE, "{old}");
        let refusal = refusal(&[("b.yaml", &text)]);
        assert!(refusal.starts_with("b.yaml:"), "{refusal}");
        assert!(refusal.contains("this is no registration"), "{refusal}");
        assert!(refusal.contains(told), "{refusal}");
        assert!(!refusal.contains("secret"), "{refusal}");
        assert_eq!(refusal.lines().count(), 1, "{refusal}");
    }
    for text in [
        "",
        "[]",
        "7",
        "\0",
        "%YAML",
        "id: a\n---\nid: b\n",
        "{",
        "&a [*a]",
    ] {
        let refusal = refusal(&[("b.yaml", text)]);
        assert!(refusal.starts_with("b.yaml:"), "{refusal}");
        assert_eq!(refusal.lines().count(), 1, "{refusal}");
    }
}

#[test]
fn hostile_files_neither_hang_nor_grow() {
    let expressions = "  - regex: '@a'\n".repeat(501);
    let many = BRIDGE.replacen("  rooms: []\n", &format!("  rooms:\n{expressions}"), 1);
    let told = "namespaces have more than 500 expressions";
    assert!(refusal(&[("b.yaml", &many)]).contains(told));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
                c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
                e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
                g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n";
    let deep = "[".repeat(100_000);
    let nested = format!("id: {}", "{a: ".repeat(100_000));
    for text in [bomb, &deep, &nested] {
        refusal(&[("b.yaml", text)]);
    }
}

/// Two bridges, the second with one line in place of another.
#[test]
fn what_two_services_cannot_both_have_is_refused() {
    let second = BRIDGE
        .replace("id: telegram", "id: signal")
        .replace("-one", "-two")
        .replace("_telegram_bot", "_signal_bot")
        .replace("telegram_", "signal_");
    parse(&[("a.yaml", BRIDGE), ("b.yaml", &second)]).unwrap();
    for (old, new, told) in [
        (
            "id: signal",
            "id: telegram",
            "b.yaml:2: id is that of another service, in a.yaml",
        ),
        (
            "as-secret-two",
            "as-secret-one",
            "b.yaml:4: as_token is that of another service, in a.yaml",
        ),
        (
            "hs-secret-two",
            "hs-secret-one",
            "b.yaml:5: hs_token is that of another service, in a.yaml",
        ),
        (
            "_signal_bot",
            "_telegram_bot",
            "b.yaml:6: sender_localpart is that of another service, in a.yaml",
        ),
        (
            "_signal_bot",
            "telegram_7",
            "b.yaml:6: sender_localpart is in an exclusive namespace of another service, in a.yaml",
        ),
        (
            "@signal_.*",
            "@_.*",
            "b.yaml:2: an exclusive namespace has the sender_localpart of another service, in \
             a.yaml",
        ),
        (
            "'@signal_",
            "'@telegram_",
            "b.yaml:2: an exclusive namespace is also that of another service, in a.yaml",
        ),
        (
            "\\#signal_",
            "\\#telegram_",
            "b.yaml:2: an exclusive namespace is also that of another service, in a.yaml",
        ),
    ] {
        let text = second.replacen(old, new, 1);
        assert_ne!(text, second, "{old}");
        assert_eq!(refusal(&[("a.yaml", BRIDGE), ("b.yaml", &text)]), told);
    }
}

#[test]
fn all_problems_of_all_files_are_told_at_once() {
    let broken = BRIDGE.replace("id: telegram", "id: ''");
    let other = "id: [";
    let refusal = refusal(&[("a.yaml", &broken), ("b.yaml", other)]);
    assert_eq!(refusal.lines().count(), 2, "{refusal}");
}

#[test]
fn files_are_found_by_path_and_by_glob_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("telegram.yaml");
    std::fs::write(&path, BRIDGE).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no registration").unwrap();
    let read =
        |patterns: &[std::path::PathBuf]| Appservices::read(patterns, server_name!("example.org"));
    let glob = folder.path().join("*.yaml");
    let services = read(&[path.clone(), glob.clone(), path.clone()]).unwrap();
    assert_eq!(services.iter().count(), 1);
    std::fs::remove_file(&path).unwrap();
    assert!(read(&[glob]).unwrap().is_empty(), "a glob may find nothing");
    let refusal = read(std::slice::from_ref(&path)).unwrap_err().to_string();
    assert!(
        refusal.contains("telegram.yaml: cannot be read"),
        "{refusal}"
    );
    let bad = read(&[folder.path().join("[*.yaml")]).unwrap_err();
    assert!(bad.to_string().contains("is no glob"), "{bad}");
}

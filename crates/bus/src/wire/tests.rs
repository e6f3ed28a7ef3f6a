//! What is written is read again, and nothing that is read does harm.

use model::time::Timestamp;

use super::{Ignored, LONGEST_BYTES, LONGEST_STATUS_BYTES, decode, encode};
use crate::{Activity, Envelope, NodeId, Presence, Signal, Typing};

fn node() -> NodeId {
    "00000000000000a1".parse().unwrap()
}

fn presence(status: Option<String>) -> Signal {
    Signal::Presence(Presence {
        user: -3,
        activity: Activity::Unavailable,
        status,
        last_active_at: Timestamp::from_millis(i64::MAX),
        until: Timestamp::from_millis(i64::MIN),
    })
}

fn typing(until: Option<i64>) -> Signal {
    Signal::Typing(Typing {
        room: 1,
        user: i64::MAX,
        until: until.map(Timestamp::from_millis),
    })
}

#[test]
fn every_signal_is_read_as_it_was_written() {
    for signal in [
        Signal::Poke,
        Signal::Ask,
        typing(None),
        typing(Some(0)),
        presence(None),
        presence(Some("\"in\u{0}a\u{1f980}meeting\"\n".to_owned())),
        presence(Some("\u{1}".repeat(LONGEST_STATUS_BYTES))),
    ] {
        let bytes = encode(node(), &signal).unwrap();
        let from = node();
        assert_eq!(decode(&bytes), Ok(Envelope { from, signal }));
    }
}

#[test]
fn the_written_form_stays_what_other_releases_read() {
    let written = |signal| String::from_utf8(encode(node(), &signal).unwrap()).unwrap();
    assert_eq!(
        written(Signal::Poke),
        r#"{"v":1,"from":"00000000000000a1","kind":"poke"}"#
    );
    assert_eq!(
        written(typing(Some(5))),
        r#"{"v":1,"from":"00000000000000a1","kind":"typing","room":1,"user":9223372036854775807,"until":5}"#
    );
    assert_eq!(
        written(presence(Some("busy".to_owned()))),
        r#"{"v":1,"from":"00000000000000a1","kind":"presence","user":-3,"activity":"unavailable","status":"busy","last_active_at":9223372036854775807,"until":-9223372036854775808}"#
    );
}

#[test]
fn another_version_and_another_kind_are_unknown_and_another_field_is_skipped() {
    let unknown = |text: &str| assert_eq!(decode(text.as_bytes()), Err(Ignored::Unknown), "{text}");
    unknown(r#"{"v":2,"from":"00000000000000a1","kind":"poke"}"#);
    unknown(r#"{"v":0,"from":"of another form","kind":"typing","room":"!r"}"#);
    unknown(r#"{"v":1,"from":"00000000000000a1","kind":"call","room":1}"#);
    let more = r#"{"why":[1,{}],"kind":"poke","from":"00000000000000a1","v":1}"#;
    let signal = Signal::Poke;
    let from = node();
    assert_eq!(decode(more.as_bytes()), Ok(Envelope { from, signal }));
}

#[test]
fn what_is_no_signal_is_malformed() {
    for text in [
        "",
        "null",
        "[]",
        "{}",
        "\u{0}",
        "{\"v\":1",
        r#"{"v":1,"from":"00000000000000a1"}"#,
        r#"{"v":-1,"from":"00000000000000a1","kind":"poke"}"#,
        r#"{"v":1,"from":"a1","kind":"poke"}"#,
        r#"{"v":1,"from":"00000000000000a1","kind":"poke"} more"#,
        r#"{"v":1,"from":"00000000000000a1","kind":"typing","room":1}"#,
        r#"{"v":1,"from":"00000000000000a1","kind":"typing","room":1.5,"user":1,"until":null}"#,
        r#"{"v":1,"from":"00000000000000a1","kind":"typing","room":9223372036854775808,"user":1}"#,
        r#"{"v":1,"from":"00000000000000a1","kind":"presence","user":1,"activity":"dancing","status":null,"last_active_at":0,"until":0}"#,
    ] {
        assert_eq!(decode(text.as_bytes()), Err(Ignored::Malformed), "{text}");
    }
    assert_eq!(decode(&[0xff, 0xfe]), Err(Ignored::Malformed));
    assert_eq!(decode(&[b'['; LONGEST_BYTES]), Err(Ignored::Malformed));
}

#[test]
fn nothing_long_is_written_or_read() {
    let long = presence(Some("x".repeat(LONGEST_BYTES)));
    assert_eq!(encode(node(), &long), None);
    assert_eq!(
        decode(&vec![b' '; LONGEST_BYTES + 1]),
        Err(Ignored::TooLong)
    );
    let longer = presence(Some("x".repeat(LONGEST_STATUS_BYTES + 1)));
    let bytes = encode(node(), &longer).unwrap();
    assert_eq!(decode(&bytes), Err(Ignored::Malformed));
}

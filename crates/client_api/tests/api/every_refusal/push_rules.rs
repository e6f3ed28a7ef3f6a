//! Push rules, one by one.

use super::MIB;
use super::row::{
    Row,
    Token::Needed,
    Who::Owner,
    Why::{NothingRequired, OnesOwn},
    bad_parameter, bare, by, lacks, limit, mistyped, never, query, refused, with, with_body,
};

pub(super) fn rows() -> Vec<Row> {
    let read = |route| Row {
        unknown: refused([
            with("rule_id", "none").gets(404, "M_NOT_FOUND", "rule"),
            with("kind", "nonsense").gets(404, "M_NOT_FOUND", "rule"),
        ]),
        ..bare(route, Needed)
    };
    let change = |route, good, member| Row {
        route,
        good: by(Owner).body(good),
        token: Needed,
        missing: refused([lacks(member)]),
        mistyped: refused([mistyped(member)]),
        not_member: never(OnesOwn),
        no_power: never(OnesOwn),
        unknown: refused([
            with("rule_id", "none").gets(404, "M_NOT_FOUND", "rule"),
            with("kind", "nonsense").gets(404, "M_NOT_FOUND", "rule"),
        ]),
        too_large: refused([limit(MIB)]),
    };
    vec![
        Row {
            good: query("limit=2&only=highlight"),
            missing: never(NothingRequired),
            mistyped: refused([
                bad_parameter("limit", "limit=many"),
                bad_parameter("limit", "limit=0"),
                bad_parameter("only", "only=mine"),
                bad_parameter("from", "from=nowhere"),
            ]),
            ..bare("GET notifications", Needed)
        },
        bare("GET pushers", Needed),
        Row {
            good: by(Owner).body(
                r#"{"kind": "http", "app_id": "a", "pushkey": "k", "app_display_name": "A",
                "device_display_name": "D", "lang": "en", "data":
                {"url": "https://push.example.org/_matrix/push/v1/notify"}}"#,
            ),
            missing: refused([
                lacks("app_id"),
                lacks("pushkey"),
                lacks("lang"),
                lacks("data"),
            ]),
            mistyped: refused([
                mistyped("app_id"),
                mistyped("pushkey"),
                with_body("kind", Some(r#""pigeon""#)).gets(400, "M_INVALID_PARAM", "kind"),
                with_body("kind", Some(r#""email""#)).gets(400, "M_INVALID_PARAM", "app_id"),
                with_body("data", Some(r#"{"url": "ftp://push.example.org/"}"#)).gets(
                    400,
                    "M_INVALID_PARAM",
                    "data.url",
                ),
            ]),
            too_large: refused([limit(MIB)]),
            ..bare("POST pushers/set", Needed)
        },
        bare("GET pushrules/", Needed),
        bare("GET pushrules/global/", Needed),
        read("GET pushrules/global/{kind}/{rule_id}"),
        read("GET pushrules/global/{kind}/{rule_id}/enabled"),
        read("GET pushrules/global/{kind}/{rule_id}/actions"),
        change(
            "PUT pushrules/global/{kind}/{rule_id}/enabled",
            r#"{"enabled": false}"#,
            "enabled",
        ),
        change(
            "PUT pushrules/global/{kind}/{rule_id}/actions",
            r#"{"actions": ["notify"]}"#,
            "actions",
        ),
        Row {
            no_power: refused([with("kind", "override")
                .with("rule_id", ".m.rule.master")
                .gets(400, "M_INVALID_PARAM", "a rule of the server")]),
            too_large: refused([limit(MIB)]),
            ..read("DELETE pushrules/global/{kind}/{rule_id}")
        },
        put(),
    ]
}

fn put() -> Row {
    Row {
        route: "PUT pushrules/global/{kind}/{rule_id}",
        good: by(Owner).body(r#"{"pattern": "lunch", "actions": ["notify"]}"#),
        token: Needed,
        missing: refused([lacks("pattern"), lacks("actions")]),
        mistyped: refused([
            mistyped("pattern"),
            mistyped("actions"),
            with("kind", "override")
                .body(r#"{"conditions": 7, "actions": []}"#)
                .gets(400, "M_BAD_JSON", "conditions: "),
            with("kind", "room")
                .with("rule_id", "x")
                .gets(400, "M_INVALID_PARAM", "rule_id"),
        ]),
        not_member: never(OnesOwn),
        no_power: refused([with("rule_id", ".mine").gets(400, "M_INVALID_PARAM", "dot")]),
        unknown: refused([
            with("kind", "nonsense").gets(400, "M_INVALID_PARAM", "`kind`"),
            query("before=none").gets(400, "M_UNKNOWN", "no such rule"),
            query("after=none").gets(400, "M_UNKNOWN", "no such rule"),
        ]),
        too_large: refused([
            limit(MIB),
            with_body("pattern", Some(r#""{x300000}""#)).gets(413, "M_TOO_LARGE", "rules"),
        ]),
    }
}

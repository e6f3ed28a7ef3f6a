//! What application services ask for themselves, and what is asked of them.

use super::{
    MIB,
    row::{
        Row,
        Token::Needed,
        Who::{Owner, Service},
        Why::{AnswersEmpty, AnyText, NotOfARoom, NothingRequired, OnesOwn},
        bad_parameter, bare, body, by, lacks, lacks_parameter, limit, mistyped, never, no_room,
        query, refused, with,
    },
};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row {
            route: "POST /_matrix/client/v1/appservice/{appservice_id}/ping",
            good: by(Service).body(r#"{"transaction_id": "a"}"#),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([mistyped("transaction_id")]),
            not_member: refused([by(Owner).gets(403, "M_FORBIDDEN", "application service")]),
            no_power: never(OnesOwn),
            unknown: refused([with("appservice_id", "xmpp").gets(
                403,
                "M_FORBIDDEN",
                "application service",
            )]),
            too_large: refused([limit(MIB)]),
        },
        Row {
            route: "PUT directory/list/appservice/{network_id}/{room_id}",
            good: by(Service).body(r#"{"visibility": "public"}"#),
            token: Needed,
            missing: refused([lacks("visibility")]),
            mistyped: refused([
                mistyped("visibility"),
                body(r#"{"visibility": "hidden"}"#).gets(400, "M_BAD_JSON", "visibility: "),
            ]),
            not_member: refused([by(Service).gets(403, "M_FORBIDDEN", "not in this room")]),
            no_power: refused([by(Owner).gets(403, "M_FORBIDDEN", "application service")]),
            unknown: refused([no_room()]),
            too_large: refused([
                limit(MIB),
                with("network_id", "{x300}").gets(400, "M_INVALID_PARAM", "networkId"),
            ]),
        },
    ];
    rows.extend(networks());
    rows
}

fn networks() -> Vec<Row> {
    let of_protocol = |route| Row {
        good: query("name=cats"),
        missing: never(NothingRequired),
        mistyped: never(AnyText),
        unknown: refused([with("protocol", "sms").gets(404, "M_NOT_FOUND", "protocol")]),
        ..bare(route, Needed)
    };
    let of_name = |route, name, good, bad| Row {
        good: query(good),
        missing: refused([lacks_parameter(name, "")]),
        mistyped: refused([bad_parameter(name, bad)]),
        not_member: never(NotOfARoom),
        unknown: never(AnswersEmpty),
        ..bare(route, Needed)
    };
    vec![
        bare("GET thirdparty/protocols", Needed),
        Row {
            unknown: refused([with("protocol", "sms").gets(404, "M_NOT_FOUND", "protocol")]),
            ..bare("GET thirdparty/protocol/{protocol}", Needed)
        },
        of_protocol("GET thirdparty/location/{protocol}"),
        of_protocol("GET thirdparty/user/{protocol}"),
        of_name(
            "GET thirdparty/location",
            "alias",
            "alias=%23irc_cats%3Alocalhost",
            "alias=nonsense",
        ),
        of_name(
            "GET thirdparty/user",
            "userid",
            "userid=%40irc_ada%3Alocalhost",
            "userid=nonsense",
        ),
    ]
}

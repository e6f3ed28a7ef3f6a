//! What relates to an event, the threads of a room, and the event of a moment.

use super::row::{
    Request, Row,
    Token::Needed,
    Who::Stranger,
    Why::{NeedsNoPower, NothingRequired},
    bad_parameter, bare, bare_act, body, by, lacks_parameter, mistyped, never, no_room, outsider,
    query, refused, with,
};

pub(super) fn rows() -> Vec<Row> {
    [reading(), following()].into_iter().flatten().collect()
}

fn reading() -> Vec<Row> {
    vec![
        relating("GET /_matrix/client/v1/rooms/{room_id}/relations/{event_id}"),
        relating("GET /_matrix/client/v1/rooms/{room_id}/relations/{event_id}/{rel_type}"),
        relating(
            "GET /_matrix/client/v1/rooms/{room_id}/relations/{event_id}/{rel_type}/{event_type}",
        ),
        Row {
            good: query("include=all&limit=2"),
            missing: never(NothingRequired),
            mistyped: refused([
                bad_parameter("include", "include=some"),
                bad_parameter("limit", "limit=many"),
                bad_parameter("limit", "limit=0"),
                bad_parameter("from", "from=nowhere"),
            ]),
            not_member: refused([outsider()]),
            no_power: never(NeedsNoPower),
            unknown: refused([no_room()]),
            ..bare("GET /_matrix/client/v1/rooms/{room_id}/threads", Needed)
        },
        Row {
            good: query("ts=0&dir=f"),
            missing: refused([lacks_parameter("ts", "dir=f")]),
            mistyped: refused([
                bad_parameter("ts", "ts=noon"),
                bad_parameter("dir", "ts=0&dir=up"),
            ]),
            not_member: refused([outsider()]),
            no_power: never(NeedsNoPower),
            unknown: refused([
                no_room(),
                query("ts=0&dir=b").gets(404, "M_NOT_FOUND", "at or before that moment"),
            ]),
            ..bare(
                "GET /_matrix/client/v1/rooms/{room_id}/timestamp_to_event",
                Needed,
            )
        },
    ]
}

fn following() -> Vec<Row> {
    let hidden = |request: super::row::Request| request.gets(404, "M_NOT_FOUND", "no such event");
    let unseen = |row: Row| Row {
        not_member: refused([hidden(by(Stranger))]),
        no_power: never(NeedsNoPower),
        unknown: refused([
            hidden(with("room_id", "!nowhere:localhost")),
            hidden(with("thread_root", "$none")),
            hidden(with("thread_root", "{elsewhere}")),
        ]),
        ..row
    };
    let apart = |text: &'static str| {
        body(text).gets(
            400,
            "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD",
            "not in that thread",
        )
    };
    vec![
        unseen(bare(
            "GET /_matrix/client/unstable/io.element.msc4306/rooms/{room_id}/thread/{thread_root}/subscription",
            Needed,
        )),
        unseen(Row {
            good: Request::default().body(r#"{"automatic": "{answer}"}"#),
            missing: never(NothingRequired),
            mistyped: refused([
                mistyped("automatic"),
                body(r#"{"automatic": "nonsense"}"#).gets(400, "M_BAD_JSON", "automatic: "),
                apart(r#"{"automatic": "{event_id}"}"#),
                apart(r#"{"automatic": "$none"}"#),
                with("thread_root", "{answer}").gets(400, "M_UNKNOWN", "cannot begin"),
            ]),
            ..bare_act(
                "PUT /_matrix/client/unstable/io.element.msc4306/rooms/{room_id}/thread/{thread_root}/subscription",
                Needed,
            )
        }),
        unseen(bare_act(
            "DELETE /_matrix/client/unstable/io.element.msc4306/rooms/{room_id}/thread/{thread_root}/subscription",
            Needed,
        )),
        Row {
            good: query("dir=b&limit=2"),
            missing: refused([lacks_parameter("dir", "limit=2")]),
            mistyped: refused([
                bad_parameter("dir", "dir=up"),
                bad_parameter("dir", "dir=f"),
                bad_parameter("limit", "dir=b&limit=many"),
                bad_parameter("limit", "dir=b&limit=0"),
                bad_parameter("from", "dir=b&from=nowhere"),
                bad_parameter("to", "dir=b&to=nowhere"),
            ]),
            ..bare(
                "GET /_matrix/client/unstable/io.element.msc4308/thread_subscriptions",
                Needed,
            )
        },
    ]
}

fn relating(route: &'static str) -> Row {
    let hidden = |request: super::row::Request| request.gets(404, "M_NOT_FOUND", "no such event");
    Row {
        good: query("dir=b&limit=2&recurse=true"),
        missing: never(NothingRequired),
        mistyped: refused([
            bad_parameter("dir", "dir=up"),
            bad_parameter("limit", "limit=many"),
            bad_parameter("recurse", "recurse=deep"),
            bad_parameter("from", "from=nowhere"),
            bad_parameter("to", "to=nowhere"),
        ]),
        not_member: refused([hidden(by(Stranger))]),
        no_power: never(NeedsNoPower),
        unknown: refused([
            hidden(with("room_id", "!nowhere:localhost")),
            hidden(with("event_id", "$none")),
            hidden(with("event_id", "{elsewhere}")),
        ]),
        ..bare(route, Needed)
    }
}

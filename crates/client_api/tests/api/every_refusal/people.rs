//! People: finding and reporting them, who they are to others, and what administrators may do.

use super::{
    MIB,
    row::{
        Row,
        Token::{Needed, NotNeeded},
        Who::{Administrator, Owner},
        Why::{AnswersEmpty, ForOutsiders, NeedsNoPower, NotOfARoom, NothingRequired, OnesOwn},
        another, bad_parameter, bare, bare_act, body, by, lacks, lacks_parameter, limit, mistyped,
        never, query, refused, with,
    },
};

pub(super) fn rows() -> Vec<Row> {
    [finding(), reporting(), tokens(), administering()]
        .into_iter()
        .flatten()
        .collect()
}

fn finding() -> Vec<Row> {
    vec![
        Row {
            route: "POST user_directory/search",
            good: body(r#"{"search_term": "owner", "limit": 2}"#),
            token: Needed,
            missing: refused([lacks("search_term")]),
            mistyped: refused([mistyped("search_term"), mistyped("limit")]),
            not_member: never(NotOfARoom),
            no_power: never(NotOfARoom),
            unknown: never(AnswersEmpty),
            too_large: refused([limit(MIB)]),
        },
        mutual_rooms("GET /_matrix/client/v1/mutual_rooms"),
        mutual_rooms("GET /_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms"),
        bare("GET voip/turnServer", Needed),
        bare(
            "GET /_matrix/client/unstable/org.matrix.msc4143/rtc/transports",
            Needed,
        ),
    ]
}

fn mutual_rooms(route: &'static str) -> Row {
    Row {
        good: query("user_id={member_id}"),
        missing: refused([lacks_parameter("user_id", "")]),
        mistyped: refused([
            bad_parameter("user_id", "user_id=nonsense"),
            bad_parameter("user_id", "user_id={owner_id}"),
        ]),
        unknown: never(AnswersEmpty),
        ..bare(route, Needed)
    }
}

fn reporting() -> Vec<Row> {
    vec![
        report_room("POST rooms/{room_id}/report"),
        report_room("POST /_matrix/client/unstable/org.matrix.msc4151/rooms/{room_id}/report"),
        Row {
            route: "POST rooms/{room_id}/report/{event_id}",
            good: by(Owner).body(r#"{"reason": "unkind"}"#),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([mistyped("reason")]),
            not_member: refused([by(Administrator).gets(404, "M_NOT_FOUND", "no such event")]),
            no_power: never(NeedsNoPower),
            unknown: refused([
                with("room_id", "!nowhere:localhost").gets(404, "M_NOT_FOUND", "no such event"),
                with("event_id", "$none").gets(404, "M_NOT_FOUND", "no such event"),
                with("event_id", "{elsewhere}").gets(404, "M_NOT_FOUND", "no such event"),
            ]),
            too_large: refused([
                limit(MIB),
                body(r#"{"reason": "{x4097}"}"#).gets(413, "M_TOO_LARGE", "reason"),
            ]),
        },
        report_user("POST users/{user_id}/report"),
        report_user("POST /_matrix/client/unstable/org.matrix.msc4260/users/{user_id}/report"),
    ]
}

fn report_room(route: &'static str) -> Row {
    Row {
        route,
        good: body(r#"{"reason": "unkind"}"#),
        token: Needed,
        missing: never(NothingRequired),
        mistyped: refused([mistyped("reason")]),
        not_member: never(ForOutsiders),
        no_power: never(NeedsNoPower),
        unknown: never(AnswersEmpty),
        too_large: refused([
            limit(MIB),
            body(r#"{"reason": "{x4097}"}"#).gets(413, "M_TOO_LARGE", "reason"),
        ]),
    }
}

fn report_user(route: &'static str) -> Row {
    Row {
        missing: refused([lacks("reason")]),
        not_member: never(NotOfARoom),
        no_power: never(NotOfARoom),
        ..report_room(route)
    }
}

fn tokens() -> Vec<Row> {
    vec![
        Row {
            not_member: refused([another()]),
            no_power: never(OnesOwn),
            ..bare_act("POST user/{user_id}/openid/request_token", Needed)
        },
        Row {
            good: query("access_token={openid}"),
            missing: refused([query("some=thing").gets(401, "M_MISSING_TOKEN", "access_token")]),
            mistyped: refused([query("access_token=").gets(401, "M_UNKNOWN_TOKEN", "token")]),
            unknown: refused([query("access_token=guessed").gets(401, "M_UNKNOWN_TOKEN", "token")]),
            ..bare("GET /_matrix/federation/v1/openid/userinfo", NotNeeded)
        },
    ]
}

fn administering() -> Vec<Row> {
    vec![
        Row {
            good: by(Owner),
            no_power: refused([with("user_id", "{member_id}").gets(
                403,
                "M_FORBIDDEN",
                "administrator",
            )]),
            unknown: refused(
                [by(Administrator).with("user_id", "@nobody:localhost").gets(
                    404,
                    "M_NOT_FOUND",
                    "no such",
                )],
            ),
            ..bare("GET admin/whois/{user_id}", Needed)
        },
        asked("GET /_matrix/client/v1/admin/lock/{user_id}"),
        asked("GET /_matrix/client/unstable/uk.timedout.msc4323/admin/lock/{user_id}"),
        asked("GET /_matrix/client/v1/admin/suspend/{user_id}"),
        asked("GET /_matrix/client/unstable/uk.timedout.msc4323/admin/suspend/{user_id}"),
        decided("PUT /_matrix/client/v1/admin/lock/{user_id}", "locked"),
        decided(
            "PUT /_matrix/client/unstable/uk.timedout.msc4323/admin/lock/{user_id}",
            "locked",
        ),
        decided(
            "PUT /_matrix/client/v1/admin/suspend/{user_id}",
            "suspended",
        ),
        decided(
            "PUT /_matrix/client/unstable/uk.timedout.msc4323/admin/suspend/{user_id}",
            "suspended",
        ),
    ]
}

/// How somebody stands.
fn asked(route: &'static str) -> Row {
    Row {
        good: by(Administrator).with("user_id", "{member_id}"),
        mistyped: refused([with("user_id", "@somebody:elsewhere.test").gets(
            400,
            "M_INVALID_PARAM",
            "user",
        )]),
        no_power: refused([
            by(Owner).gets(403, "M_FORBIDDEN", "administrator"),
            with("user_id", "{administrator_id}").gets(403, "M_FORBIDDEN", "administrator"),
        ]),
        unknown: refused([with("user_id", "@nobody:localhost").gets(
            404,
            "M_NOT_FOUND",
            "no such",
        )]),
        ..bare(route, Needed)
    }
}

/// How somebody is to stand.
fn decided(route: &'static str, member: &'static str) -> Row {
    let good = format!(r#"{{"{member}": true}}"#);
    Row {
        route,
        good: by(Administrator).with("user_id", "{member_id}").body(good),
        missing: refused([lacks(member)]),
        mistyped: refused([
            mistyped(member),
            with("user_id", "@somebody:elsewhere.test").gets(400, "M_INVALID_PARAM", "user"),
        ]),
        too_large: refused([limit(MIB)]),
        ..asked(route)
    }
}

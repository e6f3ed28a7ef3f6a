//! Files, their addresses and thumbnails.

use super::{
    LARGEST_FILE,
    row::{
        Row,
        Token::{self, Needed, NotNeeded},
        Who::{Member, Owner},
        Why::{NamesNothing, NotOfARoom, NothingRequired, TakesAFile},
        bad_parameter, bare, bare_act, body, by, lacks_parameter, never, query, refused, with,
    },
};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        bare("GET /_matrix/client/v1/media/config", Needed),
        bare("GET /_matrix/media/v3/config", Needed),
        bare_act("POST /_matrix/media/v1/create", Needed),
        thumbnail(
            "GET /_matrix/client/v1/media/thumbnail/{server_name}/{media_id}",
            Needed,
        ),
        thumbnail(
            "GET /_matrix/media/v3/thumbnail/{server_name}/{media_id}",
            NotNeeded,
        ),
    ];
    rows.extend([
        preview("GET /_matrix/client/v1/media/preview_url"),
        preview("GET /_matrix/media/v3/preview_url"),
    ]);
    rows.extend(downloads());
    rows.extend(uploads());
    rows
}

fn preview(route: &'static str) -> Row {
    Row {
        good: query("url={page}"),
        missing: refused([lacks_parameter("url", "ts=1")]),
        mistyped: refused([
            bad_parameter("ts", "url=http://192.0.2.1/&ts=now"),
            bad_parameter("url", "url=minutes"),
            bad_parameter("only http and https", "url=file:///etc/passwd"),
            bad_parameter("a name or a password", "url=http://me:secret@192.0.2.1/"),
            bad_parameter("port 25", "url=http://192.0.2.1:25/"),
        ]),
        unknown: refused([
            query("url=http://192.0.2.1/").gets(404, "M_NOT_FOUND", "url"),
            query("url=http://169.254.169.254/latest/").gets(404, "M_NOT_FOUND", "url"),
        ]),
        ..bare(route, Needed)
    }
}

fn downloads() -> Vec<Row> {
    let download = |route, token| Row {
        missing: never(NothingRequired),
        mistyped: refused([bad_parameter("timeout_ms", "timeout_ms=soon")]),
        unknown: refused([
            with("media_id", "none").gets(404, "M_NOT_FOUND", "file"),
            with("server_name", "elsewhere.test").gets(404, "M_NOT_FOUND", "file"),
            with("media_id", "{pending}").query("timeout_ms=0").gets(
                504,
                "M_NOT_YET_UPLOADED",
                "uploaded",
            ),
        ]),
        ..bare(route, token)
    };
    vec![
        download(
            "GET /_matrix/client/v1/media/download/{server_name}/{media_id}",
            Needed,
        ),
        download(
            "GET /_matrix/client/v1/media/download/{server_name}/{media_id}/{filename}",
            Needed,
        ),
        download(
            "GET /_matrix/media/v3/download/{server_name}/{media_id}",
            NotNeeded,
        ),
        download(
            "GET /_matrix/media/v3/download/{server_name}/{media_id}/{filename}",
            NotNeeded,
        ),
    ]
}

fn thumbnail(route: &'static str, token: Token) -> Row {
    Row {
        good: query("width=32&height=32").with("media_id", "{picture}"),
        missing: refused([
            lacks_parameter("width", "height=32"),
            lacks_parameter("height", "width=32"),
        ]),
        mistyped: refused([
            bad_parameter("width", "width=wide&height=32"),
            bad_parameter("height", "width=32&height=-1"),
            bad_parameter("0 pixels", "width=0&height=32"),
            bad_parameter("method", "width=32&height=32&method=stretch"),
            bad_parameter("animated", "width=32&height=32&animated=maybe"),
            // What is not a picture has no thumbnail.
            with("media_id", "{media_id}").gets(400, "M_UNKNOWN", "thumbnail"),
        ]),
        unknown: refused([
            with("media_id", "none").gets(404, "M_NOT_FOUND", "file"),
            with("server_name", "elsewhere.test").gets(404, "M_NOT_FOUND", "file"),
        ]),
        ..bare(route, token)
    }
}

fn uploads() -> Vec<Row> {
    vec![
        Row {
            route: "POST /_matrix/media/v3/upload",
            good: by(Owner).query("filename=minutes.txt").body("any bytes"),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: never(TakesAFile),
            not_member: never(NotOfARoom),
            no_power: never(NotOfARoom),
            unknown: never(NamesNothing),
            too_large: refused([
                body(" ".repeat(LARGEST_FILE + 1)).gets(413, "M_TOO_LARGE", "1000000 bytes"),
                query("filename={x1100}").gets(400, "M_INVALID_PARAM", "file name"),
            ]),
        },
        Row {
            route: "PUT /_matrix/media/v3/upload/{server_name}/{media_id}",
            good: by(Owner).with("media_id", "{pending}").body("any bytes"),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: never(TakesAFile),
            not_member: refused([by(Member).gets(403, "M_FORBIDDEN", "somebody else")]),
            no_power: refused([
                // There is content already.
                with("media_id", "{media_id}").gets(409, "M_CANNOT_OVERWRITE_MEDIA", "content"),
            ]),
            unknown: refused([
                with("media_id", "none").gets(404, "M_NOT_FOUND", "under this id"),
                with("server_name", "elsewhere.test").gets(404, "M_NOT_FOUND", "under this id"),
            ]),
            too_large: refused([body(" ".repeat(LARGEST_FILE + 1)).gets(
                413,
                "M_TOO_LARGE",
                "1000000 bytes",
            )]),
        },
    ]
}

//! What a client asks before and after it has somebody.

use super::row::{
    Request, Row,
    Token::{Needed, NotNeeded},
    bare, refused,
};

pub(super) fn rows() -> Vec<Row> {
    vec![
        bare("GET /.well-known/matrix/client", NotNeeded),
        bare("GET /.well-known/matrix/support", NotNeeded),
        Row {
            unknown: refused([Request::default().gets(404, "M_NOT_FOUND", "no policy server")]),
            ..bare("GET /.well-known/matrix/policy_server", NotNeeded)
        },
        bare("GET /_matrix/client/versions", NotNeeded),
        bare("GET capabilities", Needed),
    ]
}

//! What a client asks before and after it has somebody.

use super::row::{
    Row,
    Token::{Needed, NotNeeded},
    bare,
};

pub(super) fn rows() -> Vec<Row> {
    vec![
        bare("GET /.well-known/matrix/client", NotNeeded),
        bare("GET /.well-known/matrix/support", NotNeeded),
        bare("GET /_matrix/client/versions", NotNeeded),
        bare("GET capabilities", Needed),
    ]
}

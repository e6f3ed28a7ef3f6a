//! What every route refuses in the same way: tokens, methods, bodies that are no JSON, ids that
//! are none.

use http::Method;

use super::{
    asking::{Asked, Outgoing, is_refusal},
    row::{Body, Kind, Request, Token, Who, Why},
};
use crate::stage::encoded;

/// Runs through all of it, and gives what is not refused as it should be.
pub(super) async fn faults(asked: Asked<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    for (outgoing, expected) in refusals(asked) {
        faults.extend(asked.refused(&outgoing, expected).await.err());
    }
    faults
}

type Refusal = (Outgoing, (u16, &'static str, &'static str));

fn refusals(asked: Asked<'_>) -> Vec<Refusal> {
    [tokens(asked), bodies(asked), paths(asked)]
        .into_iter()
        .flatten()
        .collect()
}

fn good(asked: Asked<'_>) -> Outgoing {
    asked.outgoing(&Request::default())
}

fn tokens(asked: Asked<'_>) -> Vec<Refusal> {
    let with = |token: &str| Outgoing {
        token: token.to_owned(),
        ..good(asked)
    };
    let missing = (with(""), (401, "M_MISSING_TOKEN", "Authorization"));
    let wrong = (with("nobody's"), (401, "M_UNKNOWN_TOKEN", "not known"));
    match asked.row.token {
        Token::Needed => vec![missing, wrong],
        Token::Optional => vec![wrong],
        Token::NotNeeded => Vec::new(),
    }
}

fn bodies(asked: Asked<'_>) -> Vec<Refusal> {
    let takes_a_file = matches!(asked.row.mistyped, Kind::Never(Why::TakesAFile));
    if asked.route.method == "GET" || takes_a_file {
        return Vec::new();
    }
    let with = |body: String| Outgoing {
        body,
        ..good(asked)
    };
    let deep = format!("{}1{}", r#"{"a":"#.repeat(101), "}".repeat(101));
    vec![
        (with("{".into()), (400, "M_NOT_JSON", "not valid JSON")),
        (with("{}}".into()), (400, "M_NOT_JSON", "not valid JSON")),
        (
            with("[]".into()),
            (400, "M_BAD_JSON", "must be a JSON object"),
        ),
        (
            with("7".into()),
            (400, "M_BAD_JSON", "must be a JSON object"),
        ),
        (with(deep), (400, "M_BAD_JSON", "more than 100 deep")),
        (
            with(r#"{"a":"\ud800"}"#.into()),
            (400, "M_BAD_JSON", "readers refuse"),
        ),
    ]
}

/// The parameters that are ids of a kind, each with what is none.
const IDS: [(&str, &str); 7] = [
    ("room_id", "nonsense"),
    ("room_id_or_alias", "nonsense"),
    ("room_alias", "nonsense"),
    ("user_id", "nonsense"),
    ("event_id", "nonsense"),
    ("thread_root", "nonsense"),
    ("server_name", "no server"),
];

fn paths(asked: Asked<'_>) -> Vec<Refusal> {
    let query = good(asked)
        .path
        .split_once('?')
        .map(|(_, query)| query.to_owned());
    let with = |name: &str, value: &str| {
        let other = |given: &str| match given == name {
            true => value.to_owned(),
            false => encoded(&asked.parameter(given, &Request::default(), Who::Owner)),
        };
        let mut path = asked.path(other);
        if let Some(query) = &query {
            path = format!("{path}?{query}");
        }
        Outgoing {
            path,
            ..good(asked)
        }
    };
    let mut refusals = Vec::new();
    for part in asked.route.path.split('/') {
        let name = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'));
        let Some(name) = name else { continue };
        refusals.push((with(name, "a%00"), (400, "M_INVALID_PARAM", "NUL")));
        refusals.push((with(name, "a%ff"), (400, "M_INVALID_PARAM", "UTF-8")));
        if let Some((name, nonsense)) = IDS.iter().find(|(id, _)| *id == name) {
            let nonsense = encoded(nonsense);
            refusals.push((with(name, &nonsense), (400, "M_INVALID_PARAM", name)));
        }
    }
    refusals
}

/// What reads and has nothing to be refused for is answered: its cases are refused for what they
/// change. Other requests would change what the next ones are about.
pub(super) async fn good_reading(asked: Asked<'_>) -> Option<String> {
    if asked.route.method != "GET" || asked.row.refuses_everybody() {
        return None;
    }
    let Outgoing { token, path, body } = good(asked);
    let (status, answer) = asked.stage.node.ask(&token, "GET", &path, body).await;
    (status != 200).then(|| format!("GET {path}: got {status} {answer}"))
}

/// Methods that a path does not answer.
pub(super) async fn wrong_methods(asked: Asked<'_>, answered: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let methods = [
        Method::GET,
        Method::PUT,
        Method::POST,
        Method::DELETE,
        Method::PATCH,
    ];
    for method in methods
        .iter()
        .filter(|method| !answered.contains(&method.as_str()))
    {
        let Outgoing { token, path, body } = good(asked);
        let answer = asked
            .stage
            .node
            .ask(&token, method.as_str(), &path, body)
            .await;
        if !is_refusal(&answer, (405, "M_UNRECOGNIZED", "method")) {
            faults.push(format!("{method} {path}: got {} {}", answer.0, answer.1));
        }
    }
    faults
}

/// A body that is just as large as it may be is read, and judged for what it is.
pub(super) async fn limits(asked: Asked<'_>) -> Vec<String> {
    let Kind::Refused(cases) = &asked.row.too_large else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    for case in cases {
        if let Some(Body::Spaces(count)) = case.request.body {
            let outgoing = Outgoing {
                body: " ".repeat(count - 1),
                ..good(asked)
            };
            let expected = (400, "M_NOT_JSON", "not valid JSON");
            faults.extend(asked.refused(&outgoing, expected).await.err());
        }
    }
    faults
}

//! Asks the rows of the table, at every path of their routes.

use client_api::endpoint::Route;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    row::{Body, Case, Request, Row, Token, Who},
    stage::Stage,
};
use crate::stage::encoded;

/// One path of a route, with its row.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) stage: &'a Stage,
    pub(super) route: &'a Route,
    pub(super) row: &'a Row,
}

/// A request as it goes out.
pub(super) struct Outgoing {
    pub(super) token: String,
    pub(super) path: String,
    pub(super) body: String,
}

impl Asked<'_> {
    /// Asks a case, and finds it refused as the table says.
    pub(super) async fn case(self, case: &Case) -> Result<(), String> {
        let outgoing = self.outgoing(&case.request);
        let who = self.who(&case.request);
        let sentence = self.stage.filled(&case.sentence, who);
        self.refused(&outgoing, (case.status, case.errcode, &sentence))
            .await
    }

    /// Finds a request refused with a status, an errcode and a part of the sentence.
    pub(super) async fn refused(
        self,
        outgoing: &Outgoing,
        expected: (u16, &str, &str),
    ) -> Result<(), String> {
        let Outgoing { token, path, body } = outgoing;
        let method = self.route.method.as_str();
        let head = self.stage.node.parts.log.applied();
        let answer = self.stage.node.ask(token, method, path, body.clone()).await;
        let fits = is_refusal(&answer, expected) && is_plain(&answer.1);
        let stays = self.row.is_recorded() || self.stage.node.parts.log.applied() == head;
        if fits && stays {
            return Ok(());
        }
        let what = if fits {
            "changed something"
        } else {
            "expected"
        };
        Err(format!(
            "{method} {path:.150} {body:.150}\n    got {} {}\n    {what} {expected:?}",
            answer.0, answer.1
        ))
    }

    /// A case's request, or with nothing changed the good one.
    pub(super) fn outgoing(self, changes: &Request) -> Outgoing {
        let who = self.who(changes);
        let token = match self.row.token {
            Token::Needed | Token::Optional => self.stage.user(who).token.clone(),
            Token::NotNeeded => String::new(),
        };
        let query = changes.query.or(self.row.good.query).unwrap_or("");
        let query = self.stage.filled(query, who);
        let mut path = self.path(|name| encoded(&self.parameter(name, changes, who)));
        if !query.is_empty() {
            path = format!("{path}?{query}");
        }
        let body = self.body(changes, who);
        Outgoing { token, path, body }
    }

    /// The route's path with its parameters, which come encoded.
    pub(super) fn path(self, parameter: impl Fn(&str) -> String) -> String {
        let filled = self.route.path.split('/').map(|part| {
            let name = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'));
            name.map_or_else(|| part.to_owned(), &parameter)
        });
        filled.collect::<Vec<_>>().join("/")
    }

    /// What stands in the path under a name.
    pub(super) fn parameter(self, name: &str, changes: &Request, who: Who) -> String {
        let given = changes.parameters.iter().chain(&self.row.good.parameters);
        let mut given = given.filter(|(given, _)| *given == name);
        match given.next() {
            Some((_, value)) => self.stage.filled(value, who),
            None => self.stage.filled(&format!("{{{name}}}"), who),
        }
    }

    fn who(self, changes: &Request) -> Who {
        changes.who.or(self.row.good.who).unwrap_or(Who::Owner)
    }

    fn body(self, changes: &Request, who: Who) -> String {
        match changes.body.as_ref().or(self.row.good.body.as_ref()) {
            None => String::new(),
            Some(Body::Text(text)) => self.stage.filled(text, who),
            Some(Body::Spaces(count)) => " ".repeat(*count),
            Some(Body::Member(member, json)) => self.altered(member, who, |_| {
                let json = json.map(|json| self.stage.filled(json, who));
                json.map(|json| serde_json::from_str(&json).unwrap())
            }),
            Some(Body::Mistyped(member)) => {
                self.altered(member, who, |value| Some(of_another_type(value)))
            }
        }
    }

    /// The good body with a member that is another.
    fn altered(
        self,
        member: &str,
        who: Who,
        other: impl FnOnce(&Value) -> Option<Value>,
    ) -> String {
        let Some(Body::Text(good)) = &self.row.good.body else {
            panic!("{}: there is no body to change", self.row.route);
        };
        let good = self.stage.filled(good, who);
        let mut body: Value = serde_json::from_str(&good).expect("a good body is JSON");
        let (parents, name) = member.rsplit_once('/').unwrap_or(("", member));
        let pointer = match parents {
            "" => String::new(),
            parents => format!("/{parents}"),
        };
        let parent = body.pointer_mut(&pointer).and_then(Value::as_object_mut);
        let parent = parent.expect("the good body has the member's parents");
        match other(parent.get(name).unwrap_or(&Value::Null)) {
            Some(value) => parent.insert(name.to_owned(), value),
            None => parent.remove(name),
        };
        body.to_string()
    }
}

/// Whether a sentence speaks of what the client sent, and not of types of this program or of
/// places in texts that the client never saw.
fn is_plain(answer: &Value) -> bool {
    let sentence = answer["error"].as_str().unwrap_or("");
    let inner = ["expected struct", "untagged enum", "ExtractType"];
    let of_the_body = sentence.starts_with("the body ");
    !inner.iter().any(|word| sentence.contains(word))
        && (of_the_body || !sentence.contains(" at line "))
}

fn of_another_type(value: &Value) -> Value {
    match value {
        Value::Null => panic!("the good body has no such member"),
        Value::String(_) => json!(7),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => json!("x"),
    }
}

/// Whether an answer is this refusal. One without an errcode asks for a proof of who one is.
pub(super) fn is_refusal(
    (status, answer): &(StatusCode, Value),
    (expected, errcode, part): (u16, &str, &str),
) -> bool {
    let sentence = answer["error"].as_str().unwrap_or("");
    let told = match errcode {
        "" => answer["flows"].is_array(),
        errcode => answer["errcode"] == errcode && !sentence.is_empty(),
    };
    // What is missing is told of what lacks it: no other name stands before.
    let named = match part.starts_with("missing field ") {
        true => sentence.starts_with(part),
        false => sentence.contains(part),
    };
    status.as_u16() == expected && told && named
}

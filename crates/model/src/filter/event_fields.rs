//! The parts of events that a client wants, named by [dot-separated paths].
//!
//! [dot-separated paths]: https://spec.matrix.org/v1.19/appendices/#dot-separated-property-paths

use std::{collections::BTreeMap, mem};

use serde_json::{Map, Value};

use crate::json::MAX_DEPTH;

/// What no event goes without, whatever a client asks for: without it nothing else can be read.
const ALWAYS: [&str; 6] = [
    "content",
    "event_id",
    "origin_server_ts",
    "sender",
    "state_key",
    "type",
];

/// Which parts of events are given. Those that tell events apart always are.
#[derive(Debug, Clone, Default)]
pub struct EventFields(Branch);

#[derive(Debug, Clone, Default)]
struct Branch {
    /// Whether all of it is wanted.
    whole: bool,
    parts: BTreeMap<String, Branch>,
}

impl EventFields {
    /// Reads paths. One with more parts than an event can nest leads nowhere.
    pub fn new(paths: &[String]) -> Self {
        let mut root = Branch::default();
        for path in paths {
            let parts = parts(path);
            if parts.len() > MAX_DEPTH {
                continue;
            }
            let leaf = parts.into_iter().fold(&mut root, |branch, part| {
                branch.parts.entry(part).or_default()
            });
            leaf.whole = true;
        }
        Self(root)
    }

    /// The wanted parts of an event, as JSON. What cannot be read is given as it is.
    pub fn select(&self, event: &str) -> String {
        let Ok(members) = serde_json::from_str::<Map<String, Value>>(event) else {
            return event.to_owned();
        };
        let mut selected = Map::new();
        for (name, value) in members {
            let wanted = self.0.parts.get(&name);
            let part = wanted.and_then(|branch| branch.select(&value));
            let part = match (part, ALWAYS.contains(&name.as_str())) {
                (None, true) if value.is_object() => Some(Value::Object(Map::new())),
                (None, true) => Some(value),
                (part, _) => part,
            };
            selected.extend(part.map(|part| (name, part)));
        }
        Value::Object(selected).to_string()
    }
}

impl Branch {
    /// As deep as paths have parts.
    fn select(&self, value: &Value) -> Option<Value> {
        if self.whole {
            return Some(value.clone());
        }
        let members = value.as_object()?;
        let selected = self.parts.iter().filter_map(|(name, branch)| {
            let part = branch.select(members.get(name)?)?;
            Some((name.clone(), part))
        });
        let selected: Map<_, _> = selected.collect();
        (!selected.is_empty()).then_some(Value::Object(selected))
    }
}

/// The parts of a path: a backslash takes its meaning from a dot or a backslash after it, and
/// stands for itself before anything else.
fn parts(path: &str) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let mut rest = path.chars().peekable();
    while let Some(char) = rest.next() {
        match (char, rest.peek()) {
            ('\\', Some(&escaped @ ('.' | '\\'))) => {
                part.push(escaped);
                rest.next();
            }
            ('.', _) => parts.push(mem::take(&mut part)),
            _ => part.push(char),
        }
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selected(paths: &[&str], event: Value) -> Value {
        let paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
        let text = EventFields::new(&paths).select(&event.to_string());
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_path_is_split_at_dots_that_are_not_escaped() {
        for (path, wanted) in [
            ("content.body", &["content", "body"][..]),
            (r"content.m\.relates_to", &["content", "m.relates_to"]),
            (r"a\\.b", &[r"a\", "b"]),
            (r"a\\\.b", &[r"a\.b"]),
            (r"a\b", &[r"a\b"]),
            (r"a\", &[r"a\"]),
            ("", &[""]),
            ("a..b", &["a", "", "b"]),
        ] {
            assert_eq!(parts(path), wanted, "{path}");
        }
    }

    #[test]
    fn what_is_named_is_given_and_no_more_than_that_of_the_content() {
        let event = json!({
            "content": {"body": "b", "msgtype": "m.text", "m.relates_to": {"rel_type": "x", "y": 1}},
            "event_id": "$e", "origin_server_ts": 1, "sender": "@a:b", "type": "t",
            "unsigned": {"age": 1, "prev_content": {"body": "a"}},
        });
        let given = selected(&["content.body"], event.clone());
        assert_eq!(given["content"], json!({"body": "b"}));
        assert_eq!(given["event_id"], "$e");
        assert!(given.get("unsigned").is_none());
        let given = selected(
            &[r"content.m\.relates_to.rel_type", "unsigned.age"],
            event.clone(),
        );
        assert_eq!(given["content"], json!({"m.relates_to": {"rel_type": "x"}}));
        assert_eq!(given["unsigned"], json!({"age": 1}));
        let given = selected(&["content", "content.body"], event.clone());
        assert_eq!(given["content"], event["content"]);
        let given = selected(&["content.body.deeper", "nowhere"], event.clone());
        assert_eq!(given["content"], json!({}));
        assert_eq!(selected(&[], event)["type"], "t");
    }

    #[test]
    fn a_path_of_many_parts_leads_nowhere_and_costs_nothing() {
        let deep = "a.".repeat(30_000);
        let fields = EventFields::new(&[deep]);
        assert!(fields.0.parts.is_empty());
        drop(fields);
    }
}

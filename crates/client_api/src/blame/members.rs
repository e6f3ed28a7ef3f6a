//! Which member of a body is at fault: without it, the complaint is another one or none.

use std::cell::Cell;

use ruma::api::{IncomingRequest, error::DeserializationError};
use serde_json::Value;

use super::Reading;
use crate::json::push_key;

/// The largest body that is read again, part by part.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// How often it is read again.
const MAX_ATTEMPTS: usize = 100;

/// A tag decides what the members beside it must be, so it is blamed last, and never for one that is
/// missing.
const TAGS: [&str; 2] = ["type", "kind"];

/// The way to a value.
#[derive(Clone)]
enum Step {
    Member(String),
    Item(usize),
}

impl Reading<'_> {
    /// The path of the value that this was said of, empty for the body itself; `None` when it
    /// cannot be told in this way.
    pub(super) fn member_at_fault<T: IncomingRequest>(&self, complaint: &str) -> Option<String> {
        if self.body.len() > MAX_BODY_BYTES {
            return None;
        }
        let body: Value = serde_json::from_slice(self.body).ok()?;
        let attempts = Cell::new(0);
        let complaint_about = |body: &Value| {
            attempts.set(attempts.get() + 1);
            let body = serde_json::to_vec(body).unwrap_or_default();
            match self.again::<T>(self.uri.clone(), &body) {
                Err(DeserializationError::Json(error)) => Some(model::json::complaint(&error)),
                _ => None,
            }
        };
        // Written anew, with other spaces and order, it must get the same complaint.
        if complaint_about(&body)? != complaint {
            return None;
        }
        let about = |body: &Value| (attempts.get() < MAX_ATTEMPTS).then(|| complaint_about(body));
        let mut path = Vec::new();
        while let Some(step) = {
            let steps = steps(&body, &path);
            let quoted = quoted(&steps, complaint, |step| about(&other(&body, &path, step)?));
            let without = |step: &Step| about(&without(&body, &path, step));
            quoted.or_else(|| at_fault(steps, complaint, without))
        } {
            path.push(step);
        }
        Some(written(&path))
    }
}

/// The step to a value that the complaint quotes: with another one it quotes that.
fn quoted(
    steps: &[Step],
    complaint: &str,
    with_other: impl Fn(&Step) -> Option<Option<String>>,
) -> Option<Step> {
    let is_quoted = |step: &&Step| {
        let told = with_other(step).flatten();
        told.is_some_and(|told| differs_by_quote(&told, complaint))
    };
    steps.iter().find(is_quoted).cloned()
}

/// Whether two complaints say the same of two values, the one longer than the other.
fn differs_by_quote(longer: &str, complaint: &str) -> bool {
    let alike = complaint.bytes().zip(longer.bytes());
    let begin = alike.take_while(|(one, other)| one == other).count();
    let rest = longer
        .get(begin..)
        .and_then(|rest| rest.strip_prefix(OTHER));
    rest.is_some_and(|rest| complaint.get(begin..) == Some(rest))
}

/// What is put behind a value, so that it is another.
const OTHER: &str = "0";

/// The body with another value of the same type where a step leads to a number or a text.
fn other(body: &Value, path: &[Step], step: &Step) -> Option<Value> {
    let mut body = body.clone();
    let mut steps = path.iter().chain([step]);
    let value = steps.try_fold(&mut body, |value, step| match step {
        Step::Member(name) => value.get_mut(name),
        Step::Item(index) => value.get_mut(index),
    })?;
    *value = match &*value {
        Value::Number(number) => serde_json::from_str(&format!("{number}{OTHER}")).ok()?,
        Value::String(text) => format!("{text}{OTHER}").into(),
        _ => return None,
    };
    Some(body)
}

/// The step without which the complaint changes.
fn at_fault(
    steps: Vec<Step>,
    complaint: &str,
    without: impl Fn(&Step) -> Option<Option<String>>,
) -> Option<Step> {
    let mut tag = None;
    for step in steps {
        let left = without(&step)?;
        if left.as_deref() == Some(complaint) {
            continue;
        }
        match &step {
            // What is required is complained of when it is absent, whatever else is at fault.
            Step::Member(name)
                if complaint.starts_with("missing field ")
                    && left == Some(format!("missing field `{name}`")) => {}
            Step::Member(name) if TAGS.contains(&name.as_str()) => {
                let is_of_another = complaint.starts_with("missing field ");
                tag = Some(step).filter(|_| !is_of_another);
            }
            _ => return Some(step),
        }
    }
    tag
}

/// What stands directly in the value at a path.
fn steps(body: &Value, path: &[Step]) -> Vec<Step> {
    match path
        .iter()
        .try_fold(body, |value, step| value_at(value, step))
    {
        Some(Value::Object(members)) => members.keys().cloned().map(Step::Member).collect(),
        Some(Value::Array(items)) => (0..items.len()).map(Step::Item).collect(),
        _ => Vec::new(),
    }
}

fn value_at<'a>(value: &'a Value, step: &Step) -> Option<&'a Value> {
    match step {
        Step::Member(name) => value.get(name),
        Step::Item(index) => value.get(index),
    }
}

/// The body without the value that a step leads to.
fn without(body: &Value, path: &[Step], step: &Step) -> Value {
    let mut body = body.clone();
    let parent = path.iter().try_fold(&mut body, |value, step| match step {
        Step::Member(name) => value.get_mut(name),
        Step::Item(index) => value.get_mut(index),
    });
    match (parent, step) {
        (Some(Value::Object(members)), Step::Member(name)) => {
            members.remove(name);
        }
        (Some(Value::Array(items)), Step::Item(index)) => {
            items.remove(*index);
        }
        _ => {}
    }
    body
}

fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Member(name) => push_key(&mut text, name),
            Step::Item(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

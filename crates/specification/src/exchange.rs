//! A request and its answer, held against an operation's definition.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    Operation, Specification,
    documents::{member, resolve},
};

/// A request that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path and the query, as they were sent.
    pub target: &'a str,
    /// The body of the request, if it was JSON.
    pub body: Option<&'a Value>,
    /// The status of the answer.
    pub status: u16,
    /// The body of the answer, if it was JSON.
    pub answer: Option<&'a Value>,
}

const JSON: &str = "application/json";

impl Exchange<'_> {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or(self.target)
    }

    pub(crate) fn judge(&self, data: &Specification, operation: &Operation) -> Vec<String> {
        let mut found = match self.status {
            200..=299 => self.judge_success(data, operation),
            400..=599 => self.judge_refusal(data, operation),
            _ => Vec::new(),
        };
        let asked = format!("{} {} ({})", self.method, self.target, operation.id);
        for sentence in &mut found {
            *sentence = format!("{asked}, answered with {}: {sentence}", self.status);
        }
        found
    }

    fn judge_success(&self, data: &Specification, operation: &Operation) -> Vec<String> {
        let mut found = self.judge_query(data, operation);
        let content = self.content(data, &member(&operation.address, "requestBody"));
        if let (Some(content), Some(body)) = (content, self.body) {
            let violations = data.violations(&content, body).into_iter();
            found.extend(
                violations.map(|sentence| format!("the request was taken, but {sentence}")),
            );
        }
        // A part of a file is an answer that HTTP defines (RFC 9110).
        let status = if self.status == 206 { 200 } else { self.status }.to_string();
        let response = member(&member(&operation.address, "responses"), &status);
        if operation.definition["responses"].get(&status).is_none() {
            found.push("the operation has no answer of this status".to_owned());
        }
        match (self.content(data, &response), self.answer) {
            (Some(content), Some(answer)) => found.extend(data.violations(&content, answer)),
            (Some(_), None) => found.push("the answer is no JSON".to_owned()),
            (None, _) => {}
        }
        found
    }

    /// A refusal has a code and a sentence, and what its definition adds to them.
    fn judge_refusal(&self, data: &Specification, operation: &Operation) -> Vec<String> {
        let Some(answer) = self.answer else {
            return vec!["the refusal is no JSON".to_owned()];
        };
        let responses = member(&operation.address, "responses");
        let response = member(&responses, &self.status.to_string());
        let is_error = answer["errcode"].is_string() && answer["error"].is_string();
        match self.content(data, &response) {
            // Authentication in steps answers 401 as well, and its first answer has no code.
            Some(content) if self.status != 401 || !is_error => data.violations(&content, answer),
            _ if is_error => Vec::new(),
            _ => vec![format!("the refusal has no errcode and error: {answer}")],
        }
    }

    /// The address of the schema of a body, if it is JSON.
    fn content(&self, data: &Specification, address: &str) -> Option<String> {
        let mut address = address.to_owned();
        let mut body = data.documents.at(&address).ok()?;
        if let Some(reference) = body["$ref"].as_str() {
            address = resolve(&address, reference).ok()?;
            body = data.documents.at(&address).ok()?;
        }
        body["content"].get(JSON)?.get("schema")?;
        let content = member(&member(&address, "content"), JSON);
        Some(member(&content, "schema"))
    }

    fn judge_query(&self, data: &Specification, operation: &Operation) -> Vec<String> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let Ok(given) = serde_html_form::from_str::<Vec<(String, String)>>(query) else {
            return vec!["the query was taken, but cannot be read".to_owned()];
        };
        let mut given_as: HashMap<&str, Vec<&str>> = HashMap::new();
        for (name, value) in &given {
            given_as.entry(name).or_default().push(value);
        }
        let parameters = operation.definition["parameters"].as_array();
        let count = parameters.map_or(0, Vec::len);
        let mut found = Vec::new();
        for index in 0..count {
            let address = member(&operation.address, "parameters");
            let address = member(&address, &index.to_string());
            found.extend(judge_parameter(data, address, &given_as));
        }
        found
    }
}

/// What is wrong with one parameter of a query that was taken.
fn judge_parameter(
    data: &Specification,
    mut address: String,
    given: &HashMap<&str, Vec<&str>>,
) -> Vec<String> {
    let Ok(mut parameter) = data.documents.at(&address) else {
        return vec![format!("there is no parameter at {address}")];
    };
    if let Some(reference) = parameter["$ref"].as_str() {
        let Ok(referred) = resolve(&address, reference) else {
            return vec![format!("{reference} leads nowhere")];
        };
        address = referred;
        parameter = data.documents.at(&address).unwrap_or_default();
    }
    if parameter["in"] != "query" {
        return Vec::new();
    }
    let name = parameter["name"].as_str().unwrap_or_default();
    let schema = &parameter["schema"];
    match given.get(name) {
        None if parameter["required"] == true => {
            vec![format!("the query was taken without `{name}`")]
        }
        None => Vec::new(),
        Some(values) => {
            let value = match schema["type"].as_str() {
                Some("array") => json!(values),
                kind => typed(values[0], kind),
            };
            let found = data.violations(&member(&address, "schema"), &value);
            let taken =
                |sentence| format!("the query was taken with {name}={value}, but {sentence}");
            found.into_iter().map(taken).collect()
        }
    }
}

/// A text of a query as the JSON that its schema is about.
fn typed(text: &str, kind: Option<&str>) -> Value {
    match kind {
        Some("integer" | "number" | "boolean") => {
            serde_json::from_str(text).unwrap_or_else(|_| json!(text))
        }
        _ => json!(text),
    }
}

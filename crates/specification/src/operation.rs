//! One operation of the API.

use serde_json::Value;

use crate::documents::member;

/// A method at a path, as the specification defines it.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The specification's own name for it.
    pub id: String,
    /// The method, in upper case.
    pub method: String,
    /// The path from its root, with parameters in braces.
    pub path: String,
    /// What it is, in one sentence.
    pub summary: String,
    /// Whether clients are asked to use something else.
    pub is_deprecated: bool,
    /// Where its definition stands.
    pub(crate) address: String,
    pub(crate) definition: Value,
}

/// The methods that a path's definition may have.
const METHODS: [&str; 4] = ["get", "put", "post", "delete"];

/// The operations of one document.
pub(crate) fn all_of(address: &str, document: &Value) -> Vec<Operation> {
    let base = document.pointer("/servers/0/variables/basePath/default");
    let base = base.and_then(Value::as_str).unwrap_or_default();
    let mut found = Vec::new();
    let paths = member(address, "paths");
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        let of_path = member(&paths, path);
        for method in METHODS {
            let Some(definition) = methods.get(method) else {
                continue;
            };
            let text = |key: &str| definition[key].as_str().unwrap_or_default().to_owned();
            found.push(Operation {
                id: text("operationId"),
                method: method.to_uppercase(),
                // Two operations at one path are told apart by a space behind it.
                path: format!("{base}{}", path.trim_end()),
                summary: text("summary"),
                is_deprecated: definition["deprecated"] == true,
                address: member(&of_path, method),
                definition: definition.clone(),
            });
        }
    }
    found
}

impl Operation {
    pub(crate) fn fits(&self, method: &str, path: &str) -> bool {
        let fits = |(part, given): (&str, &str)| match part.starts_with('{') {
            true => !given.is_empty(),
            false => part == given,
        };
        self.method == method
            && self.path.split('/').count() == path.split('/').count()
            && self.path.split('/').zip(path.split('/')).all(fits)
    }

    pub(crate) fn literal_segments(&self) -> usize {
        let segments = self.path.split('/');
        segments.filter(|part| !part.starts_with('{')).count()
    }
}

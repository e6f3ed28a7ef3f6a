//! Gathers a schema and all that it refers to in one document.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::documents::{Documents, SpecificationError, resolve};

/// The schema at an address, with everything it refers to among its `$defs`.
pub(crate) fn bundle(documents: &Documents, address: &str) -> Result<Value, SpecificationError> {
    let mut gathering = Gathering::default();
    gathering.name_of(address.to_owned());
    let mut definitions = Map::new();
    while let Some(address) = gathering.waiting.pop() {
        let mut schema = documents.at(&address)?;
        gathering.rewrite(&mut schema, &address)?;
        definitions.insert(gathering.name_of(address), schema);
    }
    Ok(json!({ "$ref": "#/$defs/0", "$defs": definitions }))
}

#[derive(Default)]
struct Gathering {
    names: HashMap<String, usize>,
    waiting: Vec<String>,
}

impl Gathering {
    /// The name of the schema at an address, which is gathered once.
    fn name_of(&mut self, address: String) -> String {
        let next = self.names.len();
        let name = *self.names.entry(address.clone()).or_insert(next);
        if name == next {
            self.waiting.push(address);
        }
        name.to_string()
    }

    /// Lets a schema's references lead to the names of what they mean.
    fn rewrite(&mut self, schema: &mut Value, base: &str) -> Result<(), SpecificationError> {
        match schema {
            Value::Object(members) => {
                // Examples are no schemas, whatever stands in them.
                members.remove("example");
                members.remove("examples");
                for (key, value) in members {
                    match value {
                        Value::String(reference) if key == "$ref" => {
                            let name = self.name_of(resolve(base, reference)?);
                            *reference = format!("#/$defs/{name}");
                        }
                        _ => self.rewrite(value, base)?,
                    }
                }
                Ok(())
            }
            Value::Array(items) => {
                let mut items = items.iter_mut();
                items.try_for_each(|item| self.rewrite(item, base))
            }
            _ => Ok(()),
        }
    }
}

//! The Matrix specification as data: the OpenAPI definitions of the client-server API, and the
//! judgement whether a request and its answer are as they say.
//!
//! The data is the `api` folder of the specification's repository. It is not a part of this
//! project: tests find it where `MATRIX_SPEC_DIR` says, and judge nothing without it.

mod bundle;
mod documents;
mod exchange;
mod formats;
mod operation;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use jsonschema::Validator;
use parking_lot::Mutex;

pub use documents::SpecificationError;
pub use exchange::Exchange;
pub use operation::Operation;

use self::{bundle::bundle, documents::Documents};

/// Names the variable that says where the data is.
pub const VARIABLE: &str = "MATRIX_SPEC_DIR";

/// The client-server API as the specification defines it.
pub struct Specification {
    documents: Documents,
    operations: Vec<Operation>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Specification {
    /// Reads the data from the folder that `MATRIX_SPEC_DIR` names; nothing when it names none.
    pub fn from_environment() -> Result<Option<Self>, SpecificationError> {
        match std::env::var_os(VARIABLE) {
            Some(folder) if !folder.is_empty() => Self::read(&PathBuf::from(folder)).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads the data from the folder that has `api/client-server` in it.
    pub fn read(folder: &Path) -> Result<Self, SpecificationError> {
        let documents = Documents::new(folder);
        let mut operations = Vec::new();
        for (name, document) in documents.client_server()? {
            operations.extend(operation::all_of(&name, &document));
        }
        operations.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self {
            documents,
            operations,
            validators: Mutex::default(),
        })
    }

    /// Every operation, in the order of their paths.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operations that a request may ask for: mostly one. Paths of before version 1.1 count as
    /// those of today.
    pub fn find(&self, method: &str, path: &str) -> Vec<&Operation> {
        let path = path.replacen("/r0/", "/v3/", 1);
        let operations = self.operations.iter();
        let fitting = operations.filter(|operation| operation.fits(method, &path));
        let mut fitting: Vec<_> = fitting.collect();
        let words = |operation: &&Operation| operation.literal_segments();
        let most = fitting.iter().map(words).max();
        fitting.retain(|operation| Some(words(operation)) == most);
        fitting
    }

    /// What is wrong with a request that was answered, and with its answer; a sentence each.
    pub fn judge(&self, exchange: &Exchange<'_>) -> Vec<String> {
        let operations = self.find(exchange.method, exchange.path()).into_iter();
        let found = operations.map(|operation| exchange.judge(self, operation));
        // Where two operations share a path, the request is one of them.
        found.min_by_key(Vec::len).unwrap_or_default()
    }

    /// What a schema finds wrong with a value.
    fn violations(&self, schema: &str, value: &serde_json::Value) -> Vec<String> {
        let validator = match self.validator(schema) {
            Ok(validator) => validator,
            Err(error) => return vec![error.to_string()],
        };
        let found = validator.iter_errors(value);
        found
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    /// The validator of the schema at an address within the data.
    fn validator(&self, address: &str) -> Result<Arc<Validator>, SpecificationError> {
        if let Some(known) = self.validators.lock().get(address) {
            return Ok(Arc::clone(known));
        }
        let schema = bundle(&self.documents, address)?;
        let validator = formats::known(jsonschema::draft202012::options())
            .build(&schema)
            .map_err(|error| SpecificationError::Schema {
                address: address.to_owned(),
                why: error.to_string(),
            })?;
        let validator = Arc::new(validator);
        let mut validators = self.validators.lock();
        validators.insert(address.to_owned(), Arc::clone(&validator));
        Ok(validator)
    }
}

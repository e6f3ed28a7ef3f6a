//! The files of the specification, each read once.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::Url;

/// Where the definitions of the client-server API stand in the data.
const CLIENT_SERVER: &str = "api/client-server";

/// The address of the data's folder, so that the references in it resolve as they do on the web.
const ROOT: &str = "https://specification.invalid/";

/// Why the data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpecificationError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is no YAML, or has not the form of a definition.
    #[error("{path} is not a definition: {why}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A reference leads nowhere.
    #[error("there is nothing at {0}")]
    Nowhere(String),
    /// A schema is no JSON Schema.
    #[error("the schema at {address} cannot be used: {why}")]
    Schema {
        /// Where it stands.
        address: String,
        /// What is wrong with it.
        why: String,
    },
}

pub(crate) struct Documents {
    folder: PathBuf,
    read: Mutex<HashMap<String, Arc<Value>>>,
}

impl Documents {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            read: Mutex::default(),
        }
    }

    /// The definitions of the client-server API, by address, in the order of their names.
    pub(crate) fn client_server(&self) -> Result<Vec<(String, Arc<Value>)>, SpecificationError> {
        let folder = self.folder.join(CLIENT_SERVER);
        let unreadable = |source| SpecificationError::Unreadable {
            path: folder.clone(),
            source,
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            names.extend(name.to_str().map(str::to_owned));
        }
        names.retain(|name| name.ends_with(".yaml"));
        names.sort();
        let documents = names.into_iter().map(|name| {
            let address = format!("{ROOT}{CLIENT_SERVER}/{name}");
            let document = self.document(&address)?;
            Ok((address, document))
        });
        documents.collect()
    }

    /// What stands at an address: a document, and a JSON pointer behind `#`.
    pub(crate) fn at(&self, address: &str) -> Result<Value, SpecificationError> {
        let nowhere = || SpecificationError::Nowhere(address.to_owned());
        let (document, pointer) = address.split_once('#').unwrap_or((address, ""));
        let pointer = percent_decode_str(pointer).decode_utf8();
        let pointer = pointer.map_err(|_| nowhere())?;
        let document = self.document(document)?;
        document.pointer(&pointer).cloned().ok_or_else(nowhere)
    }

    /// Whether a document belongs to an API that the data does not hold: of that nothing is known,
    /// and anything is as it says.
    fn is_of_another_api(&self, name: &str) -> bool {
        let mut parts = name.split('/');
        match (parts.next(), parts.next()) {
            (Some("api"), Some(api)) => !self.folder.join("api").join(api).exists(),
            _ => false,
        }
    }

    fn document(&self, address: &str) -> Result<Arc<Value>, SpecificationError> {
        if let Some(document) = self.read.lock().get(address) {
            return Ok(Arc::clone(document));
        }
        let name = address.strip_prefix(ROOT);
        let name = name.ok_or_else(|| SpecificationError::Nowhere(address.to_owned()))?;
        if self.is_of_another_api(name) {
            return Ok(Arc::new(json!({})));
        }
        let path = self.folder.join(name);
        let text = fs::read_to_string(&path).map_err(|source| SpecificationError::Unreadable {
            path: path.clone(),
            source,
        })?;
        let document: Value =
            serde_saphyr::from_str(&text).map_err(|error| SpecificationError::Malformed {
                path,
                why: error.to_string(),
            })?;
        let document = Arc::new(document);
        let mut read = self.read.lock();
        read.insert(address.to_owned(), Arc::clone(&document));
        Ok(document)
    }
}

/// The address that a reference means in the document of another address.
pub(crate) fn resolve(base: &str, reference: &str) -> Result<String, SpecificationError> {
    let nowhere = |_| SpecificationError::Nowhere(reference.to_owned());
    let joined = Url::parse(base).map_err(nowhere)?.join(reference);
    joined.map(String::from).map_err(nowhere)
}

/// The address of a member of what stands at another address.
pub(crate) fn member(address: &str, key: &str) -> String {
    let key = key.replace('~', "~0").replace('/', "~1");
    let hash = if address.contains('#') { "" } else { "#" };
    format!("{address}{hash}/{key}")
}

//! Parameters and rows: the few types that mean the same on both engines.

use crate::StoreError;

/// A parameter, or a column of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// SQL's NULL, of any type.
    Null,
    /// `BIGINT`.
    Int(i64),
    /// `TEXT`: no NUL inside, PostgreSQL refuses it.
    Text(String),
    /// `BYTEA`.
    Bytes(Vec<u8>),
}

/// The type of a column in an [`Insert`](crate::Insert).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// `BIGINT`.
    Int,
    /// `TEXT`.
    Text,
    /// `BYTEA`.
    Bytes,
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// Flags are stored as 0 and 1.
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of an answer; columns are asked for by their place, from zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    /// The values, in the order of the columns.
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    /// About how much memory it takes.
    pub(crate) fn size_bytes(&self) -> usize {
        let sizes = self.0.iter().map(|value| match value {
            Value::Null | Value::Int(_) => 32,
            Value::Text(text) => 32 + text.len(),
            Value::Bytes(bytes) => 32 + bytes.len(),
        });
        sizes.sum()
    }

    /// Takes the last column off, which is an integer.
    pub fn take_last_int(&mut self) -> Result<i64, StoreError> {
        match self.0.pop() {
            Some(Value::Int(number)) => Ok(number),
            _ => Err(StoreError::Column {
                index: self.0.len(),
                expected: "an integer",
            }),
        }
    }

    /// An integer that is never NULL.
    pub fn int(&self, index: usize) -> Result<i64, StoreError> {
        self.opt_int(index)?.ok_or(StoreError::Column {
            index,
            expected: "an integer",
        })
    }

    /// An integer or NULL.
    pub fn opt_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(index) {
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            _ => Err(StoreError::Column {
                index,
                expected: "an integer",
            }),
        }
    }

    /// A flag, stored as 0 or 1.
    pub fn flag(&self, index: usize) -> Result<bool, StoreError> {
        Ok(self.int(index)? != 0)
    }

    /// Text that is never NULL.
    pub fn text(&self, index: usize) -> Result<&str, StoreError> {
        self.opt_text(index)?.ok_or(StoreError::Column {
            index,
            expected: "text",
        })
    }

    /// Text or NULL.
    pub fn opt_text(&self, index: usize) -> Result<Option<&str>, StoreError> {
        match self.0.get(index) {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(StoreError::Column {
                index,
                expected: "text",
            }),
        }
    }

    /// Bytes that are never NULL.
    pub fn bytes(&self, index: usize) -> Result<&[u8], StoreError> {
        self.opt_bytes(index)?.ok_or(StoreError::Column {
            index,
            expected: "bytes",
        })
    }

    /// Bytes or NULL.
    pub fn opt_bytes(&self, index: usize) -> Result<Option<&[u8]>, StoreError> {
        match self.0.get(index) {
            Some(Value::Bytes(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(StoreError::Column {
                index,
                expected: "bytes",
            }),
        }
    }
}

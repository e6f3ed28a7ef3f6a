//! The members of what clients give, each read by itself, so that a refusal names it.

use model::json::complaint;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Reads a member; tells in a sentence what is wrong with it.
pub(super) fn member<'a, T: Deserialize<'a>>(
    name: &str,
    given: Option<&'a RawValue>,
) -> Result<T, String> {
    let given = given.ok_or_else(|| format!("missing field `{name}`"))?;
    serde_json::from_str(given.get()).map_err(|error| format!("{name}: {}", complaint(&error)))
}

/// Reads a member that is an object of the client's own, up to a size.
pub(super) fn object<'a>(
    name: &str,
    given: Option<&'a RawValue>,
    limit_bytes: usize,
) -> Result<&'a RawValue, String> {
    let given: &RawValue = member(name, given)?;
    if !given.get().starts_with('{') {
        return Err(format!("{name}: it must be an object"));
    }
    if given.get().len() > limit_bytes {
        return Err(format!("{name}: it has more than {limit_bytes} bytes"));
    }
    Ok(given)
}

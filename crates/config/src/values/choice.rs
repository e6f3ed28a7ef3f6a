//! Values out of a short list.

use super::{Raw, Rejection};

/// Finds the choice with the name that was given.
pub(crate) fn choose<T: Copy>(raw: &Raw, choices: &[(&str, T)]) -> Result<T, Rejection> {
    let given = raw.text()?;
    choices
        .iter()
        .find(|(name, _)| *name == given)
        .map(|(_, choice)| *choice)
        .ok_or_else(|| Rejection::new("is not one of the choices"))
}

/// Lists the names of the choices.
pub(crate) fn list_choices<T>(choices: &[(&str, T)]) -> String {
    let names: Vec<String> = choices
        .iter()
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    names.join(", ")
}

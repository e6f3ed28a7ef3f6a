//! What is said of a text that is no registration: what the parser says, and nothing of the text.

use serde_saphyr::Error;

/// A sentence in one line. Errors that quote what they are about are told in our own words: what
/// they quote may be a token that stands in a wrong place.
pub(crate) fn complaint(error: &Error) -> String {
    let error = error.without_snippet();
    let said = match error {
        Error::AliasError { error, .. } => return complaint(error),
        Error::DuplicateMappingKey { .. } => "a key stands twice".to_owned(),
        Error::UnsupportedTag { .. } | Error::TaggedStructFieldName { .. } => {
            "a tag that is not known".to_owned()
        }
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("expected {expected}")
        }
        Error::SerdeMissingField { field, .. } => format!("missing field `{field}`"),
        Error::Unexpected { expected, .. } => format!("expected {expected}"),
        // Its parser quotes nothing.
        Error::ExternalMessage { msg, .. } => msg.clone(),
        Error::MultipleDocuments { .. } => "more than one document".to_owned(),
        Error::Eof { .. } => "unexpected end of input".to_owned(),
        Error::NullIntoString { .. } => "a value is missing".to_owned(),
        Error::InvalidScalar { ty, .. } => format!("invalid {ty}"),
        Error::InvalidBooleanStrict { .. } => "expected true or false".to_owned(),
        Error::UnknownAnchor { .. } => "an alias of nothing".to_owned(),
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias within itself".to_owned(),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "it is larger or deeper than any".to_owned()
        }
        _ => "it cannot be read".to_owned(),
    };
    format!("this is no registration: {said}")
}

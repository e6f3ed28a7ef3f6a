//! Which parameter of a path or a query is at fault.

use http::Uri;
use ruma::{
    EventId, RoomAliasId, RoomId, RoomOrAliasId, ServerName, UserId,
    api::{IncomingRequest, error::DeserializationError, path_builder::PathBuilder},
};

use super::Reading;
use crate::error::ApiError;

/// How many parameters of a query are looked at.
const MAX_LOOKED_AT: usize = 64;

/// How much of a parameter's name is quoted.
const MAX_NAME_CHARS: usize = 64;

impl Reading<'_> {
    /// The refusal for a parameter of which this was said.
    pub(super) fn parameter_refused<T: IncomingRequest>(&self, complaint: &str) -> ApiError {
        if let Some(name) = complaint.strip_prefix("missing field ") {
            return ApiError::missing_param(format_args!("query parameter {name} is missing"));
        }
        let told = model::json::complaint(&complaint);
        if let Some(name) = self.argument_at_fault::<T>(complaint) {
            return ApiError::invalid_param(format_args!("path parameter `{name}`: {told}"));
        }
        match self.query_at_fault::<T>(complaint) {
            Some(name) => ApiError::invalid_param(format_args!("query parameter `{name}`: {told}")),
            None => ApiError::invalid_param(format_args!("path or query: {told}")),
        }
    }

    /// The first id in the path that is none; else the argument that the complaint quotes.
    fn argument_at_fault<T: IncomingRequest>(&self, complaint: &str) -> Option<&'static str> {
        let template = T::PATH_BUILDER.all_paths().next()?;
        let names = template.split('/').filter_map(|part| {
            let name = part.strip_prefix('{')?;
            name.strip_suffix('}')
        });
        let arguments: Vec<_> = names.zip(self.arguments.iter().copied()).collect();
        let not_an_id = arguments
            .iter()
            .find(|(name, value)| !fits(name, value, &arguments));
        let quoted = |(_, value): &&(&str, &str)| complaint.contains(&format!("`{value}`"));
        let at_fault = not_an_id.or_else(|| arguments.iter().find(quoted));
        at_fault.map(|(name, _)| *name)
    }

    /// The first parameter that gets the same complaint when it stands alone.
    fn query_at_fault<T: IncomingRequest>(&self, complaint: &str) -> Option<String> {
        let pairs = self.uri.query()?.split('&');
        let mut pairs = pairs.take(MAX_LOOKED_AT);
        let pair = pairs.find(|pair| {
            let Ok(alone) = format!("/?{pair}").parse::<Uri>() else {
                return false;
            };
            match self.again::<T>(alone, &[]) {
                Err(DeserializationError::Query(error)) => error.to_string() == complaint,
                _ => false,
            }
        })?;
        let parsed: Vec<(String, String)> = serde_html_form::from_str(pair).ok()?;
        let (name, _) = parsed.into_iter().next()?;
        Some(name.chars().take(MAX_NAME_CHARS).collect())
    }
}

/// Whether a parameter of this name can have this value; only ids have a grammar.
fn fits(name: &str, value: &str, beside: &[(&str, &str)]) -> bool {
    match name {
        // Some kinds of push rules have rules for rooms or users.
        "rule_id" if beside.contains(&("kind", "room")) => RoomId::parse(value).is_ok(),
        "rule_id" if beside.contains(&("kind", "sender")) => UserId::parse(value).is_ok(),
        "room_id" => RoomId::parse(value).is_ok(),
        "user_id" => UserId::parse(value).is_ok(),
        "event_id" | "thread_root" => EventId::parse(value).is_ok(),
        "room_alias" => RoomAliasId::parse(value).is_ok(),
        "room_id_or_alias" => RoomOrAliasId::parse(value).is_ok(),
        "server_name" => ServerName::parse(value).is_ok(),
        _ => true,
    }
}

//! A join rule in another room version.

use ruma::{CanonicalJsonObject, room::JoinRuleKind, room_version_rules::AuthorizationRules};

/// The content of a join rule as a room version understands it.
///
/// A version that does not know the rule would let nobody in, the invited included; the nearest
/// one that it knows, and that lets in nobody else, stands for it.
pub(super) fn adapted(
    mut content: CanonicalJsonObject,
    kind: &JoinRuleKind,
    rules: &AuthorizationRules,
) -> CanonicalJsonObject {
    let known = match kind {
        JoinRuleKind::KnockRestricted if rules.knock_restricted_join_rule => "knock_restricted",
        JoinRuleKind::KnockRestricted | JoinRuleKind::Restricted if rules.restricted_join_rule => {
            "restricted"
        }
        JoinRuleKind::KnockRestricted | JoinRuleKind::Knock if rules.knocking => "knock",
        JoinRuleKind::KnockRestricted | JoinRuleKind::Restricted | JoinRuleKind::Knock => "invite",
        _ => return content,
    };
    content.insert("join_rule".to_owned(), known.into());
    if !known.ends_with("restricted") {
        content.remove("allow");
    }
    content
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::create::object;

    #[test]
    fn a_rule_that_a_version_does_not_know_becomes_the_nearest_that_it_does() {
        use ruma::RoomVersionId::{V1, V7, V8, V10, V12};

        for (rule, version, expected) in [
            ("public", V1, "public"),
            ("invite", V1, "invite"),
            ("knock", V1, "invite"),
            ("knock", V7, "knock"),
            ("restricted", V7, "invite"),
            ("restricted", V8, "restricted"),
            ("knock_restricted", V1, "invite"),
            ("knock_restricted", V7, "knock"),
            ("knock_restricted", V8, "restricted"),
            ("knock_restricted", V10, "knock_restricted"),
            ("restricted", V12, "restricted"),
        ] {
            let rules = version.rules().unwrap().authorization;
            let content = object(json!({ "join_rule": rule, "allow": [] }));
            let adapted = adapted(content, &rule.into(), &rules);
            assert_eq!(
                adapted["join_rule"].as_str(),
                Some(expected),
                "{rule} in {version}"
            );
            // Who may come in by membership is said beside the rules that ask for it.
            if rule != expected {
                let is_asked = expected == "restricted";
                assert_eq!(
                    adapted.contains_key("allow"),
                    is_asked,
                    "{rule} in {version}"
                );
            }
        }
    }
}

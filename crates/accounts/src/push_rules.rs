//! A person's push rules: the account data `m.push_rules`, over the server's defaults.

use std::sync::Arc;

use ruma::{
    UserId,
    push::{
        Action, InsertPushRuleError, NewPushRule, RemovePushRuleError, RuleKind, RuleNotFoundError,
        Ruleset,
    },
};
use serde::{Deserialize, Serialize};
use store::{Reader, StoreError};

use crate::{Accounts, account_data::refuse, change::Refusal};

/// The type of the entry.
pub const PUSH_RULES: &str = "m.push_rules";

/// The largest set of rules.
const MAX_RULES_BYTES: usize = 128 * 1024;

/// The longest id of a rule.
const MAX_RULE_ID_BYTES: usize = 255;

/// A change of a person's push rules.
pub enum PushRuleEdit {
    /// Adds or replaces a rule, and places it.
    Put {
        /// The rule.
        rule: NewPushRule,
        /// The rule that it comes after.
        after: Option<String>,
        /// The rule that it comes before.
        before: Option<String>,
    },
    /// Removes a rule that the person made.
    Remove(RuleKind, String),
    /// Switches a rule on or off.
    Enable(RuleKind, String, bool),
    /// Sets what a rule does.
    Act(RuleKind, String, Vec<Action>),
}

/// Why the rules were not changed.
#[derive(Debug, thiserror::Error)]
pub enum PushRuleError {
    /// There is no such rule.
    #[error("there is no such push rule")]
    NoSuchRule,
    /// The rule cannot be placed there, or cannot be one.
    #[error(transparent)]
    Put(#[from] InsertPushRuleError),
    /// The server's own rules cannot be removed.
    #[error("a rule of the server cannot be removed")]
    ServerDefault,
    /// The rules would be too large.
    #[error("a person's push rules have at most {MAX_RULES_BYTES} bytes")]
    TooLarge,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<RuleNotFoundError> for PushRuleError {
    fn from(_: RuleNotFoundError) -> Self {
        Self::NoSuchRule
    }
}

impl From<RemovePushRuleError> for PushRuleError {
    fn from(error: RemovePushRuleError) -> Self {
        match error {
            RemovePushRuleError::ServerDefault => Self::ServerDefault,
            _ => Self::NoSuchRule,
        }
    }
}

impl From<Refusal> for PushRuleError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Edit(reason) => match reason.0.downcast::<Self>() {
                Ok(error) => *error,
                Err(_) => Self::TooLarge,
            },
            other => Self::Store(other.into_store()),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Content {
    global: Ruleset,
}

impl Accounts {
    /// The rules of a user: their own and the server's.
    pub async fn push_rules(
        &self,
        user: i64,
        user_id: &UserId,
    ) -> Result<Arc<Ruleset>, StoreError> {
        let cache = &self.inner.changes.push_rules;
        if let Some(rules) = cache.get(&user) {
            return Ok(rules);
        }
        let snapshot = self.database().snapshot().await?;
        let rules = Arc::new(self.push_rules_at(&snapshot, user, user_id).await?);
        cache.fill(user, Arc::clone(&rules), snapshot.head());
        Ok(rules)
    }

    /// The rules of a user, as a reader sees them.
    pub async fn push_rules_at(
        &self,
        reader: &Reader,
        user: i64,
        user_id: &UserId,
    ) -> Result<Ruleset, StoreError> {
        let stored = self.account_data_at(reader, user, 0, PUSH_RULES).await?;
        let stored = stored.as_ref().map(|content| content.get().as_bytes());
        rules_over(stored, user_id)
    }

    /// Changes a person's rules.
    pub async fn edit_push_rules(
        &self,
        user: i64,
        user_id: &UserId,
        edit: PushRuleEdit,
    ) -> Result<(), PushRuleError> {
        let user_id = user_id.to_owned();
        let edit = Arc::new(move |standing: Option<&[u8]>| {
            edited(standing, &user_id, &edit).map_err(refuse)
        });
        Ok(self.edit_account_data(user, None, PUSH_RULES, edit).await?)
    }
}

/// What is stored, with rules of the server that came or went since.
fn rules_over(stored: Option<&[u8]>, user_id: &UserId) -> Result<Ruleset, StoreError> {
    let defaults = Ruleset::server_default(user_id);
    let Some(stored) = stored else {
        return Ok(defaults);
    };
    let content: Content = serde_json::from_slice(stored)
        .map_err(|error| StoreError::Damaged(format!("push rules: {error}")))?;
    let mut rules = content.global;
    rules.update_with_server_default(defaults);
    Ok(rules)
}

fn edited(
    standing: Option<&[u8]>,
    user_id: &UserId,
    edit: &PushRuleEdit,
) -> Result<Vec<u8>, PushRuleError> {
    let mut rules = rules_over(standing, user_id)?;
    match edit {
        PushRuleEdit::Put {
            rule,
            after,
            before,
        } => {
            if rule.rule_id().is_empty() || rule.rule_id().len() > MAX_RULE_ID_BYTES {
                return Err(InsertPushRuleError::InvalidRuleId.into());
            }
            rules.insert(rule.clone(), after.as_deref(), before.as_deref())?;
        }
        PushRuleEdit::Remove(kind, rule_id) => rules.remove(kind.clone(), rule_id)?,
        PushRuleEdit::Enable(kind, rule_id, enabled) => {
            rules.set_enabled(kind.clone(), rule_id, *enabled)?;
        }
        PushRuleEdit::Act(kind, rule_id, actions) => {
            rules.set_actions(kind.clone(), rule_id, actions.clone())?;
        }
    }
    let content = serde_json::to_vec(&Content { global: rules })
        .map_err(|error| StoreError::Damaged(format!("push rules: {error}")))?;
    if content.len() > MAX_RULES_BYTES {
        return Err(PushRuleError::TooLarge);
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use ruma::{
        push::{NewPatternedPushRule, RuleKind},
        user_id,
    };

    use super::*;

    fn alice() -> &'static UserId {
        user_id!("@alice:example.org")
    }

    fn word(id: &str, pattern: &str) -> PushRuleEdit {
        let rule = NewPatternedPushRule::new(id.into(), pattern.into(), vec![Action::Notify]);
        PushRuleEdit::Put {
            rule: NewPushRule::Content(rule),
            after: None,
            before: None,
        }
    }

    #[test]
    fn a_rule_survives_the_reading_of_what_was_written() {
        let stored = edited(None, alice(), &word("lunch", "lunch")).unwrap();
        let rules = rules_over(Some(&stored), alice()).unwrap();
        assert!(rules.get(RuleKind::Content, "lunch").is_some());
        assert!(rules.get(RuleKind::Override, ".m.rule.master").is_some());
        let off = PushRuleEdit::Enable(RuleKind::Override, ".m.rule.master".into(), true);
        let stored = edited(Some(&stored), alice(), &off).unwrap();
        let rules = rules_over(Some(&stored), alice()).unwrap();
        assert!(
            rules
                .get(RuleKind::Override, ".m.rule.master")
                .unwrap()
                .enabled()
        );
    }

    #[test]
    fn edits_that_do_not_fit_are_refused() {
        let refused = |edit| edited(None, alice(), &edit).unwrap_err();
        let remove = |id: &str| PushRuleEdit::Remove(RuleKind::Override, id.into());
        assert!(matches!(
            refused(remove(".m.rule.master")),
            PushRuleError::ServerDefault
        ));
        assert!(matches!(refused(remove("x")), PushRuleError::NoSuchRule));
        assert!(matches!(
            refused(PushRuleEdit::Enable(RuleKind::Room, "!r:x".into(), true)),
            PushRuleError::NoSuchRule
        ));
        for id in ["", ".dot", "a/b", &"x".repeat(256)] {
            assert!(
                matches!(refused(word(id, "x")), PushRuleError::Put(_)),
                "{id}"
            );
        }
        let huge = "x".repeat(MAX_RULES_BYTES);
        assert!(matches!(
            refused(word("huge", &huge)),
            PushRuleError::TooLarge
        ));
    }
}

//! The caller's push rules.

pub(crate) mod delete_pushrule;
pub(crate) mod get_pushrule;
pub(crate) mod get_pushrule_actions;
pub(crate) mod get_pushrule_enabled;
pub(crate) mod get_pushrules_all;
pub(crate) mod get_pushrules_global_scope;
pub(crate) mod set_pushrule;
pub(crate) mod set_pushrule_actions;
pub(crate) mod set_pushrule_enabled;

use std::sync::Arc;

use accounts::{Accounts, push_rules::PushRuleError};
use ruma::push::{AnyPushRule, InsertPushRuleError, RuleKind, Ruleset};

use crate::{caller::Caller, error::ApiError};

/// All rules of the caller.
async fn rules_of(accounts: &Accounts, caller: &Caller) -> Result<Arc<Ruleset>, ApiError> {
    let rules = accounts.push_rules(caller.user, &caller.user_id).await;
    rules.map_err(ApiError::internal)
}

/// One rule of the caller.
async fn rule_of(
    accounts: &Accounts,
    caller: &Caller,
    kind: RuleKind,
    rule_id: &str,
) -> Result<AnyPushRule, ApiError> {
    let rules = rules_of(accounts, caller).await?;
    let rule = rules.get(kind, rule_id).map(|rule| rule.to_owned());
    rule.ok_or_else(|| PushRuleError::NoSuchRule.into())
}

impl From<PushRuleError> for ApiError {
    fn from(error: PushRuleError) -> Self {
        match error {
            PushRuleError::NoSuchRule => Self::not_found(error),
            PushRuleError::Put(InsertPushRuleError::UnknownRuleId) => {
                Self::unknown("there is no such rule to place it before or after")
            }
            PushRuleError::Put(_) | PushRuleError::ServerDefault => Self::invalid_param(error),
            PushRuleError::TooLarge => Self::too_large(error),
            PushRuleError::Store(error) => Self::internal(error),
        }
    }
}

//! The account of the server itself, under which it tells people something.

use audit::{Act, Actor, AuditTrail, Origin, Target};
use ruma::UserId;
use store::Intent;

use crate::{
    AccountKind, Accounts, By,
    applier::AccountChanges,
    change::{Change, Permit, Register},
};

impl Accounts {
    /// Adds to an intent that there is an account of the server's own. Nobody signs in to it,
    /// finds it or invites it, and its name is never anybody else's.
    pub fn add_server_account(&self, intent: &mut Intent, user_id: &UserId, display_name: &str) {
        intent.add::<AccountChanges>(Change::Register(Register {
            user_id: user_id.to_owned(),
            kind: AccountKind::Server,
            of_guest: None,
            password_hash: None,
            admin: false,
            display_name: Some(serde_json::json!(display_name).to_string().into()),
            accepted_terms: None,
            permit: Permit::None,
        }));
        let by = By {
            actor: Actor::System,
            origin: Origin::default(),
        };
        let record = by.record(Act::AccountCreated).with("way", "server");
        intent.add::<AuditTrail>(record.on(Target::user(user_id.as_str())));
    }
}

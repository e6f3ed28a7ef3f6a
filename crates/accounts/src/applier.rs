//! The applier: how changes of accounts take part in a batch, and the caches that follow them.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use moka::sync::Cache;
use ruma::{OwnedUserId, push::Ruleset};
use seal::Keyring;
use store::{Applier, CheckContext, Coherent, Pos, StoreError, Touched, Tx, Verdict, Writes};

use crate::{
    change::{Change, Outcome, Refusal},
    check,
    people::PeopleIndex,
    rows::{Hash, TokenRow},
    state::UserState,
    work::Work,
    write,
};

/// Room for this many tokens in memory.
const CACHED_TOKENS: u64 = 200_000;

/// Room for this many people in memory.
const CACHED_USERS: u64 = 100_000;

/// The applier of accounts, sessions and what people keep here.
pub struct AccountChanges {
    keyring: Keyring,
    /// What a token stands for never changes; whether it is still good, its user's state tells.
    pub(crate) tokens: Cache<Hash, Arc<TokenRow>>,
    pub(crate) users: Coherent<i64, Arc<UserState>>,
    pub(crate) push_rules: Coherent<i64, Arc<Ruleset>>,
    pub(crate) ignored: Coherent<i64, Arc<BTreeSet<OwnedUserId>>>,
    pub(crate) people: PeopleIndex,
}

impl AccountChanges {
    /// Makes the applier, to be registered with the log.
    pub fn new(keyring: Keyring) -> Arc<Self> {
        Arc::new(Self {
            keyring,
            tokens: Cache::new(CACHED_TOKENS),
            users: Coherent::new(CACHED_USERS),
            push_rules: Coherent::new(CACHED_USERS),
            ignored: Coherent::new(CACHED_USERS),
            people: PeopleIndex::default(),
        })
    }

    fn forget_user(&self, user: i64, pos: Pos) {
        self.users.forget(&user, pos);
        self.forget_kept(user, pos);
    }

    fn forget_kept(&self, user: i64, pos: Pos) {
        self.push_rules.forget(&user, pos);
        self.ignored.forget(&user, pos);
    }
}

#[async_trait]
impl Applier for AccountChanges {
    type Change = Change;
    type Outcome = Outcome;
    type Refusal = Refusal;
    type Work = Work;

    const KIND: &'static str = "accounts";

    fn size_bytes(change: &Change) -> usize {
        let content = match change {
            Change::SetProfileField { value, .. } => value.as_ref().map_or(0, Vec::len),
            Change::EditAccountData(edit) => edit.size_bytes,
            Change::PutFilter { content, .. } => content.len(),
            Change::RemoveDevices { device_ids, .. } => device_ids.iter().map(String::len).sum(),
            _ => 0,
        };
        512 + content
    }

    async fn prepare(&self, tx: &Tx, changes: &[&Change]) -> Result<Work, StoreError> {
        Work::load(&self.keyring, tx, changes).await
    }

    fn check(
        &self,
        work: &mut Work,
        change: &Change,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<Outcome>, Refusal> {
        check::check(work, change, context)
    }

    fn settle(&self, work: &mut Work, keep: bool) {
        work.settle(keep);
    }

    fn write(&self, work: &mut Work, writes: &mut Writes) -> Result<(), StoreError> {
        write::write(work, writes)
    }

    fn committed(&self, work: Work, last_pos: Pos) {
        for (user, _) in work.accounts.changed() {
            self.forget_user(*user, last_pos);
        }
        for ((user, _), _) in work.devices.changed() {
            self.users.forget(user, last_pos);
        }
        for ((user, ..), _) in work.account_data.changed() {
            self.forget_kept(*user, last_pos);
        }
    }

    fn forget(&self, touched: &Touched, last_pos: Pos) {
        if touched.has_kind(Self::KIND) {
            for user in touched.users() {
                self.forget_user(user, last_pos);
            }
        }
    }

    fn forget_all(&self, last_pos: Pos) {
        self.users.forget_all(last_pos);
        self.push_rules.forget_all(last_pos);
        self.ignored.forget_all(last_pos);
    }
}

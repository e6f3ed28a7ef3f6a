//! How messages to devices take part in a batch.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use model::time::Timestamp;
use seal::{KeySet, Keyring, Place, Scope};
use store::{Applier, CheckContext, Journal, Pos, Staged, StoreError, Tx, Value, Verdict, Writes};

use super::{
    acknowledge::FORGOTTEN_SENDS,
    elsewhere::ToldMessage,
    tables::{FIND_SEND, PUT_MESSAGES, PUT_SENDS, message_place},
};

/// Applies changes to waiting messages.
pub(crate) struct ToDeviceChanges {
    pub(crate) keyring: Keyring,
}

/// What is asked for.
pub(crate) enum ToDeviceChange {
    Send(Send),
    /// The device has everything up to a position.
    Acknowledge {
        user: i64,
        device: String,
        upto: Pos,
    },
    /// Devices have these messages, whatever else waits for them.
    Told {
        messages: Vec<ToldMessage>,
    },
    /// The messages of a queue up to a position are given up.
    Trim {
        user: i64,
        device: String,
        upto: Pos,
    },
    /// Some of the sends that were done before a moment are no longer remembered.
    ForgetSends {
        before: Timestamp,
    },
    DropDevice {
        user: String,
        device: String,
    },
    DropUser {
        user: String,
    },
}

/// Messages that are sent together: at most one to each device.
pub(crate) struct Send {
    pub(super) sender: String,
    pub(super) device: String,
    /// A keyed hash of the transaction id.
    pub(super) request: Vec<u8>,
    /// Tells the messages of this send from all others.
    pub(super) send_id: String,
    pub(super) messages: Vec<Message>,
}

pub(crate) struct Message {
    pub(super) user: String,
    pub(super) device: String,
    pub(super) json: String,
}

/// What a batch knows of senders and recipients.
pub(crate) struct ToDeviceWork {
    users: HashMap<String, i64>,
    /// By sender, device and request: when it was done.
    sends: Staged<(i64, String, Vec<u8>), i64>,
    steps: Journal<Step>,
    keys: KeySet,
}

/// What is written, in this order.
enum Step {
    Put(Waiting),
    Delete(&'static str, Vec<Value>),
}

/// A message in its recipient's queue.
struct Waiting {
    user: i64,
    device: String,
    pos: i64,
    send_id: String,
    json: String,
}

#[async_trait]
impl Applier for ToDeviceChanges {
    type Change = ToDeviceChange;
    type Outcome = ();
    type Refusal = std::convert::Infallible;
    type Work = ToDeviceWork;

    const KIND: &'static str = "keys.to_device";

    fn size_bytes(change: &ToDeviceChange) -> usize {
        256 + match change {
            ToDeviceChange::Send(send) => send.messages.iter().map(Message::size_bytes).sum(),
            ToDeviceChange::Told { messages } => 128 * messages.len(),
            _ => 0,
        }
    }

    async fn prepare(
        &self,
        tx: &Tx,
        changes: &[&ToDeviceChange],
    ) -> Result<ToDeviceWork, StoreError> {
        let names: BTreeSet<&str> = changes.iter().flat_map(|change| change.users()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let ids = tx.intern_users(&names).await?;
        let users: HashMap<String, i64> = names
            .iter()
            .map(|name| (*name).to_owned())
            .zip(ids)
            .collect();
        let sends = changes.iter().filter_map(|change| match change {
            ToDeviceChange::Send(send) => Some(send),
            _ => None,
        });
        let sends: Vec<&Send> = sends.collect();
        let recipients = sends.iter().flat_map(|send| &send.messages);
        let recipients: BTreeSet<i64> = recipients.map(|message| users[&message.user]).collect();
        let scopes = recipients.into_iter().map(Scope::User);
        let finding = sends.iter().map(|send| {
            let place = (
                users[&send.sender],
                send.device.clone(),
                send.request.clone(),
            );
            async move {
                let params = [
                    place.0.into(),
                    place.1.as_str().into(),
                    place.2.clone().into(),
                ];
                let row = tx.query_opt(FIND_SEND, &params).await?;
                row.map(|row| Ok((place, row.int(0)?))).transpose()
            }
        });
        let (keys, found) =
            futures_util::try_join!(self.keyring.keys_in(tx, scopes), try_join_all(finding))?;
        let mut work = ToDeviceWork {
            users,
            sends: Staged::default(),
            steps: Journal::default(),
            keys,
        };
        for (place, at) in found.into_iter().flatten() {
            work.sends.load(place, at);
        }
        Ok(work)
    }

    fn check(
        &self,
        work: &mut ToDeviceWork,
        change: &ToDeviceChange,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<()>, std::convert::Infallible> {
        match change {
            ToDeviceChange::Send(send) => return Ok(work.send(send, context)),
            ToDeviceChange::Acknowledge { user, device, upto }
            | ToDeviceChange::Trim { user, device, upto } => {
                work.drop_upto(*user, device, upto.get());
            }
            ToDeviceChange::Told { messages } => {
                let statement = "DELETE FROM to_device_messages \
                     WHERE user_id = $1 AND device_id = $2 AND pos = $3";
                for ToldMessage { user, device, pos } in messages {
                    let params = vec![(*user).into(), device.as_str().into(), pos.get().into()];
                    work.delete(statement, params);
                }
            }
            ToDeviceChange::ForgetSends { before } => {
                let statement = "DELETE FROM to_device_sends \
                     WHERE (user_id, device_id, request) IN (SELECT user_id, device_id, request \
                     FROM to_device_sends WHERE at < $1 ORDER BY at LIMIT $2)";
                let params = vec![before.as_millis().into(), FORGOTTEN_SENDS.into()];
                work.delete(statement, params);
            }
            ToDeviceChange::DropDevice { user, device } => {
                let user = work.user(user);
                work.drop_upto(user, device, i64::MAX);
                let statement = "DELETE FROM to_device_sends WHERE user_id = $1 AND device_id = $2";
                work.delete(statement, vec![user.into(), device.as_str().into()]);
            }
            ToDeviceChange::DropUser { user } => {
                let user = work.user(user);
                let messages = "DELETE FROM to_device_messages WHERE user_id = $1";
                let sends = "DELETE FROM to_device_sends WHERE user_id = $1";
                work.delete(messages, vec![user.into()]);
                work.delete(sends, vec![user.into()]);
            }
        }
        Ok(Verdict::Apply(()))
    }

    fn settle(&self, work: &mut ToDeviceWork, keep: bool) {
        work.sends.settle(keep);
        work.steps.settle(keep);
    }

    fn write(&self, work: &mut ToDeviceWork, writes: &mut Writes) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for step in work.steps.kept() {
            match step {
                Step::Put(waiting) => rows.push(waiting.row(&work.keys)?),
                Step::Delete(sql, params) => {
                    // In order: what was sent before goes, what is sent afterwards stays.
                    writes.insert(&PUT_MESSAGES, std::mem::take(&mut rows));
                    writes.execute(sql, params.clone());
                }
            }
        }
        let sends = work.sends.changed().filter_map(|(key, at)| {
            let (user, device, request) = key;
            Some(vec![
                (*user).into(),
                device.as_str().into(),
                request.clone().into(),
                (*at?).into(),
            ])
        });
        writes.insert(&PUT_SENDS, sends.collect());
        writes.insert(&PUT_MESSAGES, rows);
        Ok(())
    }
}

impl ToDeviceChange {
    fn users(&self) -> Vec<&str> {
        match self {
            Self::Send(send) => {
                let recipients = send.messages.iter().map(|message| message.user.as_str());
                recipients.chain([send.sender.as_str()]).collect()
            }
            Self::DropDevice { user, .. } | Self::DropUser { user } => vec![user],
            Self::Acknowledge { .. }
            | Self::Told { .. }
            | Self::Trim { .. }
            | Self::ForgetSends { .. } => Vec::new(),
        }
    }
}

impl Message {
    pub(super) fn size_bytes(&self) -> usize {
        self.json.len() + self.user.len() + self.device.len() + 64
    }
}

impl ToDeviceWork {
    fn user(&self, name: &str) -> i64 {
        self.users.get(name).copied().unwrap_or_default()
    }

    fn send(&mut self, send: &Send, context: &mut CheckContext<'_>) -> Verdict<()> {
        let place = (
            self.user(&send.sender),
            send.device.clone(),
            send.request.clone(),
        );
        if self.sends.get(&place).is_some() {
            return Verdict::Already(());
        }
        self.sends.put(place, context.now().as_millis());
        for message in &send.messages {
            let user = self.user(&message.user);
            context.touch_device(user, &message.device);
            self.steps.push(Step::Put(Waiting {
                user,
                device: message.device.clone(),
                pos: context.pos().get(),
                send_id: send.send_id.clone(),
                json: message.json.clone(),
            }));
        }
        Verdict::Apply(())
    }

    fn drop_upto(&mut self, user: i64, device: &str, upto: i64) {
        let statement = "DELETE FROM to_device_messages \
             WHERE user_id = $1 AND device_id = $2 AND pos <= $3";
        self.delete(statement, vec![user.into(), device.into(), upto.into()]);
    }

    fn delete(&mut self, statement: &'static str, params: Vec<Value>) {
        self.steps.push(Step::Delete(statement, params));
    }
}

impl Waiting {
    fn row(&self, keys: &KeySet) -> Result<Vec<Value>, StoreError> {
        let place = Place {
            table: PUT_MESSAGES.table,
            column: "sealed",
            id: &message_place(self.user, &self.device, &self.send_id),
        };
        let sealed = keys.seal(Scope::User(self.user), place, self.json.as_bytes())?;
        Ok(vec![
            self.user.into(),
            self.device.as_str().into(),
            self.pos.into(),
            self.send_id.as_str().into(),
            sealed.into(),
        ])
    }
}

//! Aliases: found by a keyed hash, their text sealed.

use ruma::{OwnedRoomAliasId, OwnedUserId};
use seal::{Month, Place, Scope};
use store::{CheckContext, Pos, Verdict, Writes};

use super::RoomsWork;
use crate::{NewAlias, Rooms, RoomsOutcome, RoomsRefusal};

/// An alias that exists.
#[derive(Clone, Copy)]
pub(super) struct AliasRow {
    pub(super) room: i64,
    pub(super) creator: i64,
}

pub(super) enum AliasWrite {
    Set {
        hash: [u8; 32],
        row: AliasRow,
        pos: Pos,
        sealed: Vec<u8>,
    },
    Remove {
        hash: [u8; 32],
    },
}

pub(super) const FIND_ALIAS: &str = "SELECT room, creator FROM aliases WHERE hash = $1";

/// The aliases of a room.
pub(super) const ALIASES_OF: &str = "SELECT hash, room, creator FROM aliases WHERE room = $1";

const WRITE_ALIAS: &str = "INSERT INTO aliases (hash, room, creator, pos, sealed) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (hash) DO UPDATE SET room = excluded.room, \
     pos = excluded.pos, sealed = excluded.sealed";
const DROP_ALIAS: &str = "DELETE FROM aliases WHERE hash = $1";

impl Rooms {
    pub(super) fn check_set_alias(
        &self,
        work: &mut RoomsWork,
        alias: &NewAlias,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
        let room = work.room(&alias.room_id)?;
        if !room.state.is_joined(&alias.creator) {
            let sentence = "you are not in this room";
            return Err(RoomsRefusal::Forbidden(sentence.to_owned()));
        }
        let hash = self.alias_hash(&alias.alias);
        if work.aliases.get(&hash).copied().flatten().is_some() {
            return Err(RoomsRefusal::AliasTaken(alias.alias.clone()));
        }
        let place = (room.room, work.user(&alias.creator));
        self.point_alias(work, &alias.alias, place, context)?;
        Ok(Verdict::Apply(RoomsOutcome::Done))
    }

    /// Stages that an alias points at a room, whether it is new or pointed at another.
    pub(super) fn point_alias(
        &self,
        work: &mut RoomsWork,
        alias: &OwnedRoomAliasId,
        (room, creator): (i64, i64),
        context: &mut CheckContext<'_>,
    ) -> Result<(), RoomsRefusal> {
        let scope = Scope::Room {
            room,
            month: Month::of(work.now),
        };
        let hash = self.alias_hash(alias);
        let id = hex(&hash);
        let sealed = work
            .keys
            .seal(scope, alias_place(&id), alias.as_bytes())
            .map_err(|error| RoomsRefusal::Invalid(error.to_string()))?;
        let row = AliasRow { room, creator };
        work.aliases.stage(hash, Some(row));
        let pos = context.pos();
        work.rows.aliases.push(AliasWrite::Set {
            hash,
            row,
            pos,
            sealed,
        });
        context.touch_room(room);
        Ok(())
    }

    pub(super) fn check_remove_alias(
        &self,
        work: &mut RoomsWork,
        alias: &OwnedRoomAliasId,
        user_id: Option<&OwnedUserId>,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
        let hash = self.alias_hash(alias);
        let row = work.aliases.get(&hash).copied().flatten();
        let row = row.ok_or_else(|| RoomsRefusal::NoSuchAlias(alias.clone()))?;
        let may = user_id.is_none_or(|user_id| {
            row.creator == work.user(user_id)
                || work
                    .rooms
                    .get(&row.room)
                    .is_some_and(|room| room.state.may_set_state(user_id, "m.room.canonical_alias"))
        });
        if !may {
            return Err(RoomsRefusal::Forbidden(
                "only its creator or a moderator of the room removes an alias".to_owned(),
            ));
        }
        work.aliases.stage(hash, None);
        work.rows.aliases.push(AliasWrite::Remove { hash });
        context.touch_room(row.room);
        Ok(Verdict::Apply(RoomsOutcome::Done))
    }
}

pub(super) fn write(kept: Vec<AliasWrite>, writes: &mut Writes) {
    for write in kept {
        match write {
            AliasWrite::Set {
                hash,
                row,
                pos,
                sealed,
            } => {
                let params = vec![
                    hash[..].into(),
                    row.room.into(),
                    row.creator.into(),
                    pos.get().into(),
                    sealed.into(),
                ];
                writes.execute(WRITE_ALIAS, params);
            }
            AliasWrite::Remove { hash } => {
                writes.execute(DROP_ALIAS, vec![hash[..].into()]);
            }
        }
    }
}

/// Where an alias is sealed; its hash is its id.
pub(crate) fn alias_place(id: &str) -> Place<'_> {
    Place {
        table: "aliases",
        column: "sealed",
        id,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string does not fail");
            text
        })
}

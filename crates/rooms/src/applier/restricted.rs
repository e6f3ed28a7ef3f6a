//! Joins that membership in another room permits: who is in which, under the lock.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::future::try_join_all;
use model::room_state::StateView;
use ruma::{
    CanonicalJsonObject, OwnedRoomId, OwnedUserId, RoomId, ServerName, UserId,
    events::room::member::MembershipState, room::JoinRuleKind,
};
use store::{StoreError, Tx};

use super::RoomsWork;
use crate::{NewEvent, Room, RoomsRefusal, rooms::stored_room_id};

/// The field of a member event that tells through whom its subject came in.
const VOUCHER: &str = "join_authorised_via_users_server";

const JOINED: &str = "SELECT n.name FROM memberships m JOIN room_names n ON n.id = m.room \
     WHERE m.user_id = $1 AND m.membership = 'join'";

/// The rooms that users were in when the batch began.
#[derive(Default)]
pub(super) struct JoinedRooms(HashMap<OwnedUserId, HashSet<OwnedRoomId>>);

impl JoinedRooms {
    /// Reads the rooms of some users, each with one statement: which of them matter is known
    /// only when earlier changes of the batch have had their say about the room's join rule.
    pub(super) async fn read(
        tx: &Tx,
        users: &BTreeSet<OwnedUserId>,
        user_ids: &HashMap<OwnedUserId, i64>,
    ) -> Result<Self, StoreError> {
        let reading = users.iter().filter_map(|user| {
            let number = *user_ids.get(user)?;
            Some(async move {
                let rows = tx.query(JOINED, &[number.into()]).await?;
                let rooms = rows.iter().map(|row| stored_room_id(row.text(0)?));
                Ok::<_, StoreError>((user.clone(), rooms.collect::<Result<_, _>>()?))
            })
        });
        Ok(Self(try_join_all(reading).await?.into_iter().collect()))
    }
}

/// Writes into the content of a join through whom its sender comes in, when only membership in
/// another room lets them; what has nobody to vouch for it is left to the rules of the room.
pub(super) fn vouch(
    work: &RoomsWork,
    room: &Room,
    event: &NewEvent,
    here: &ServerName,
    content: &mut CanonicalJsonObject,
) {
    let user = &event.draft.sender;
    if !event.by_membership || !needs_voucher(room, user) {
        return;
    }
    let rule = room.state.join_rule();
    let allowed = |allowed: &OwnedRoomId| work.is_joined_now(allowed, user);
    if !rule.allowed_rooms.iter().any(allowed) {
        return;
    }
    if let Some(member) = authorising_member(room, here) {
        content.insert(VOUCHER.to_owned(), member.as_str().into());
    }
}

/// Through whom somebody comes into a restricted room is for this server to say, not for them:
/// the rules of rooms trust it. Who is in already may repeat it beside a new name or picture.
pub(super) fn check_voucher(room: &Room, event: &NewEvent) -> Result<(), RoomsRefusal> {
    let draft = &event.draft;
    let is_member = draft.event_type == "m.room.member" && draft.state_key.is_some();
    let Some(voucher) = draft.content.get(VOUCHER).filter(|_| is_member) else {
        return Ok(());
    };
    let stands = || {
        let current = room.state.get("m.room.member", draft.sender.as_str())?;
        let current: CanonicalJsonObject = current.content_as().ok()?;
        (current.get(VOUCHER)? == voucher).then_some(())
    };
    if room.state.is_joined(&draft.sender) && stands().is_some() {
        return Ok(());
    }
    let sentence = "join_authorised_via_users_server is set by the server: use the join endpoint";
    Err(RoomsRefusal::Forbidden(sentence.to_owned()))
}

impl RoomsWork {
    /// Whether a user is in a room, after all that the batch has staged so far.
    fn is_joined_now(&self, room_id: &RoomId, user: &UserId) -> bool {
        match self.room(room_id) {
            Ok(room) => room.state.is_joined(user),
            // No change of the batch names the room, so nothing changes in it.
            Err(_) => {
                let joined = self.joined_rooms.0.get(user);
                joined.is_some_and(|rooms| rooms.contains(room_id))
            }
        }
    }
}

/// Whether the room's version knows its join rule, and nothing else lets the user in.
fn needs_voucher(room: &Room, user: &UserId) -> bool {
    let rules = &room.rules().authorization;
    let restricted = match room.state.join_rule().kind {
        JoinRuleKind::Restricted => rules.restricted_join_rule,
        JoinRuleKind::KnockRestricted => rules.knock_restricted_join_rule,
        _ => false,
    };
    let inside = [MembershipState::Join, MembershipState::Invite];
    restricted && !inside.contains(&room.state.membership(user))
}

/// A member of this server who could invite: of those with a level of their own the first by
/// id, else anybody, when everybody may.
fn authorising_member<'a>(room: &'a Room, here: &ServerName) -> Option<&'a UserId> {
    let state = &room.state;
    let levels = state.power_levels();
    let may = |member: &UserId| {
        member.server_name() == here && state.is_joined(member) && levels.user_can_invite(member)
    };
    let named = state.create().creators.iter().chain(levels.users.keys());
    let named = named.filter(|member| may(member)).min();
    named.map(|member| &**member).or_else(|| {
        if levels.users_default < levels.invite {
            return None;
        }
        let members = state.members_with(MembershipState::Join);
        members.map(|(member, _)| member).find(|member| may(member))
    })
}

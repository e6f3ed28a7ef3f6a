//! Aliases: to a room and back.

use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId, RoomId, UserId};
use store::{Intent, Log, StoreError};

use crate::{
    NewAlias, Rooms, RoomsChange, RoomsError, RoomsRefusal,
    applier::{alias_place, hex},
    rooms::stored_room_id,
};

const FIND: &str = "SELECT room FROM aliases WHERE hash = $1";
const OF_ROOM: &str = "SELECT hash, sealed FROM aliases WHERE room = $1 ORDER BY pos";

impl Rooms {
    /// The room that an alias points at.
    pub async fn resolve_alias(&self, alias: &RoomAliasId) -> Result<OwnedRoomId, RoomsError> {
        let snapshot = self.snapshot().await?;
        let hash = self.alias_hash(alias);
        let row = snapshot.query_opt(FIND, &[hash[..].into()]).await?;
        let row = row.ok_or_else(|| RoomsRefusal::NoSuchAlias(alias.to_owned()))?;
        let name = self.names().room_name(&snapshot, row.int(0)?).await?;
        Ok(stored_room_id(&name)?)
    }

    /// The aliases that point at a room.
    pub async fn aliases_of(&self, room_id: &RoomId) -> Result<Vec<OwnedRoomAliasId>, RoomsError> {
        let room = self.room(room_id).await?;
        let snapshot = self.snapshot().await?;
        let rows = snapshot.query(OF_ROOM, &[room.room.into()]).await?;
        let mut sealed = Vec::new();
        for row in &rows {
            sealed.push(row.bytes(1)?);
        }
        let keys = self.keyring().keys_of(&snapshot, sealed).await?;
        let mut aliases = Vec::new();
        for row in &rows {
            let plain = keys
                .open(alias_place(&hex(row.bytes(0)?)), row.bytes(1)?)
                .map_err(StoreError::from)?;
            let alias = String::from_utf8(plain).ok();
            let alias = alias.and_then(|alias| OwnedRoomAliasId::try_from(alias).ok());
            aliases.push(alias.ok_or_else(|| StoreError::Damaged("aliases.sealed".to_owned()))?);
        }
        Ok(aliases)
    }

    /// Points an alias at a room.
    pub async fn set_alias(
        &self,
        log: &Log,
        alias: OwnedRoomAliasId,
        room_id: &RoomId,
        creator: OwnedUserId,
    ) -> Result<(), RoomsError> {
        if alias.server_name() != self.server_name() {
            let sentence = format!("aliases made here end with :{}", self.server_name());
            return Err(RoomsRefusal::Invalid(sentence).into());
        }
        self.room(room_id).await?;
        let alias = NewAlias {
            alias,
            room_id: room_id.to_owned(),
            creator,
        };
        self.commit(log, Intent::new(), RoomsChange::SetAlias(alias))
            .await
            .map(drop)
    }

    /// Shows a room in the public directory, or no longer.
    pub async fn publish(
        &self,
        log: &Log,
        room_id: &RoomId,
        published: bool,
        user_id: &UserId,
    ) -> Result<(), RoomsError> {
        self.room(room_id).await?;
        let change = RoomsChange::Publish {
            room_id: room_id.to_owned(),
            published,
            by: Some(user_id.to_owned()),
        };
        self.commit(log, Intent::new(), change).await.map(drop)
    }

    /// Shows a room as one of another network, or no longer.
    pub async fn show_in_network(
        &self,
        log: &Log,
        room_id: &RoomId,
        network: String,
        listed: bool,
    ) -> Result<(), RoomsError> {
        self.room(room_id).await?;
        let change = RoomsChange::List {
            room_id: room_id.to_owned(),
            network,
            listed,
        };
        self.commit(log, Intent::new(), change).await.map(drop)
    }

    /// Removes an alias for a user, or for an application service, whose alias it is.
    pub async fn remove_alias(
        &self,
        log: &Log,
        alias: OwnedRoomAliasId,
        user_id: Option<OwnedUserId>,
    ) -> Result<(), RoomsError> {
        let change = RoomsChange::RemoveAlias { alias, user_id };
        self.commit(log, Intent::new(), change).await.map(drop)
    }
}

"""A bridge to nowhere, made of mautrix as bridges to other networks are: a ghost says again what
people say in the rooms that its bot is in, encrypted on the way in and on the way out.

`bridge.py -g -c config.yaml -r registration.yaml` writes its registration; without `-g` it runs.
`cargo xtask test --clients` starts a server with it and talks with it.
"""

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

from mautrix.bridge import BaseBridgeConfig, BaseMatrixHandler, BasePortal, BaseUser, Bridge
from mautrix.errors import MNotFound
from mautrix.types import (
    EventID,
    EventType,
    MessageEventContent,
    MessageType,
    RoomID,
    TextMessageEventContent,
    UserID,
)
from mautrix.util.async_db import Connection, UpgradeTable

upgrade_table = UpgradeTable()


@upgrade_table.register
async def rooms_it_is_in(conn: Connection) -> None:
    """A bridge's rooms; mautrix itself asks for those that are encrypted."""
    await conn.execute(
        "CREATE TABLE portal (mxid TEXT PRIMARY KEY, encrypted BOOLEAN NOT NULL)"
    )


class Person(BaseUser):
    """Somebody who is talked with: anybody may."""

    def __init__(self, bridge: "EchoBridge", mxid: UserID) -> None:
        self.mxid = mxid
        self.bridge = bridge
        self.az = bridge.az
        self.is_whitelisted = True
        self.is_admin = False
        super().__init__()

    async def is_logged_in(self) -> bool:
        return True

    async def get_puppet(self) -> None:
        return None

    async def get_portal_with(self, puppet: Any, create: bool = True) -> None:
        return None


class Room(BasePortal):
    """A room in which everything is said twice."""

    def __init__(self, bridge: "EchoBridge", mxid: RoomID, encrypted: bool) -> None:
        super().__init__()
        self.bridge = bridge
        self.az = bridge.az
        self.matrix = bridge.matrix
        self.mxid = mxid
        self.encrypted = encrypted
        self.is_direct = False
        self.main_intent = bridge.az.intent

    async def save(self) -> None:
        await self.bridge.db.execute(
            "INSERT INTO portal (mxid, encrypted) VALUES ($1, $2)"
            " ON CONFLICT (mxid) DO UPDATE SET encrypted = excluded.encrypted",
            self.mxid,
            self.encrypted,
        )

    async def delete(self) -> None:
        await self.bridge.db.execute("DELETE FROM portal WHERE mxid = $1", self.mxid)

    async def get_dm_puppet(self) -> None:
        return None

    @property
    def bridge_info_state_key(self) -> str:
        return "org.example.echo"

    @property
    def bridge_info(self) -> dict[str, Any]:
        return {}

    async def handle_matrix_message(
        self, sender: BaseUser, message: MessageEventContent, event_id: EventID
    ) -> None:
        """Says it again, as the ghost of who said it."""
        name, _ = self.az.intent.parse_user_id(sender.mxid)
        ghost = self.az.intent.user(self.bridge.ghost(name))
        await ghost.ensure_joined(self.mxid)
        body = f"echo: {message.body}"
        answer = TextMessageEventContent(msgtype=MessageType.TEXT, body=body)
        await self._send_message(ghost, answer)


class Handler(BaseMatrixHandler):
    """What becomes of what the server tells."""

    def __init__(self, bridge: "EchoBridge") -> None:
        self.user_id_prefix, self.user_id_suffix = bridge.ghost("|").split("|")
        super().__init__(bridge=bridge)

    async def accept_bot_invite(self, room_id: RoomID, inviter: BaseUser) -> None:
        # What is said as soon as the bot is there waits until it has looked around.
        async with self.bridge.coming_into[room_id]:
            await super().accept_bot_invite(room_id, inviter)

    async def send_welcome_message(self, room_id: RoomID, inviter: BaseUser) -> None:
        """Looks around in a room into which the bot has come, and says nothing."""
        await self.az.intent.get_members(room_id)
        try:
            await self.az.intent.get_state_event(room_id, EventType.ROOM_ENCRYPTION)
            encrypted = True
        except MNotFound:
            encrypted = False
        await Room(self.bridge, room_id, encrypted).save()


class EchoBridge(Bridge):
    """The program."""

    module = "echo"
    name = "echo"
    command = "python bridge.py"
    description = "A bridge to nowhere."
    version = "1"
    config_class = BaseBridgeConfig
    matrix_class = Handler
    upgrade_table = upgrade_table

    def __init__(self) -> None:
        super().__init__()
        self.coming_into: defaultdict[RoomID, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def base_config_path(self) -> str:
        return str(Path(__file__).with_name("bridge.yaml"))

    def ghost(self, name: str) -> UserID:
        """The id of the ghost of this name."""
        localpart = self.config["bridge.username_template"].format(userid=name)
        return UserID(f"@{localpart}:{self.config['homeserver.domain']}")

    async def get_user(self, user_id: UserID, create: bool = True) -> Person:
        return Person(self, user_id)

    async def get_portal(self, room_id: RoomID) -> Room | None:
        async with self.coming_into[room_id]:
            row = await self.db.fetchrow("SELECT encrypted FROM portal WHERE mxid = $1", room_id)
        return Room(self, room_id, bool(row["encrypted"])) if row else None

    async def get_puppet(self, user_id: UserID, create: bool = False) -> None:
        return None

    async def get_double_puppet(self, user_id: UserID) -> None:
        return None

    def is_bridge_ghost(self, user_id: UserID) -> bool:
        prefix, suffix = self.matrix.user_id_prefix, self.matrix.user_id_suffix
        return user_id.startswith(prefix) and user_id.endswith(suffix)

    async def count_logged_in_users(self) -> int:
        return 0


if __name__ == "__main__":
    EchoBridge().run()

"""A person's device: a client of matrix-nio with a store of its own, which syncs all the time."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from nio import (
    AsyncClient,
    AsyncClientConfig,
    ErrorResponse,
    InviteMemberEvent,
    MatrixRoom,
    MegolmEvent,
    MessageDirection,
    Response,
    RoomMessageText,
)

# Longer than anything here may take: a server that does not wake a poll is found out.
LONG_POLL_MS = 300_000

# More events than a story has, so that no response leaves any out.
FILTER = {"room": {"timeline": {"limit": 1_000}}}

# How long to wait for what somebody else does.
PATIENCE_SECONDS = 120

# A text as it was told: the event's id and what it says.
Told = tuple[str, str]


def granted(response: Response | ErrorResponse) -> Any:
    """Gives an answer back, unless the server refused."""
    if isinstance(response, ErrorResponse):
        raise RuntimeError(f"the server refused: {response}")
    return response


async def eventually(what: str, probe: Callable[[], Any]) -> Any:
    """Waits until a probe gives something."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (found := probe()):
                await asyncio.sleep(0.02)
            return found
    except TimeoutError:
        raise RuntimeError(f"this did not become true: {what}") from None


class Device:
    """A signed-in device."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.invited: set[str] = set()
        self.unreadable: list[str] = []
        self._texts: dict[str, list[tuple[str, Told]]] = {}
        self._syncing: asyncio.Task[None] | None = None
        client.add_event_callback(self._note_text, RoomMessageText)
        client.add_event_callback(self._note_unreadable, MegolmEvent)
        client.add_event_callback(self._note_invitation, InviteMemberEvent)

    @staticmethod
    def _client(server: str, name: str, store: Path) -> AsyncClient:
        store.mkdir()
        # No answer is asked for again behind the story's back.
        config = AsyncClientConfig(
            encryption_enabled=True,
            store_sync_tokens=True,
            max_limit_exceeded=0,
            max_timeouts=0,
        )
        return AsyncClient(server, name, store_path=str(store), config=config)

    @classmethod
    async def log_in(
        cls, server: str, person: dict[str, str], device_name: str, store: Path
    ) -> Self:
        """Signs in with the password."""
        client = cls._client(server, person["name"], store)
        granted(await client.login(person["password"], device_name=device_name))
        device = cls(client)
        await device._start()
        return device

    async def _start(self) -> None:
        """Syncs once, tells others of its keys, and goes on syncing."""
        granted(await self.client.sync(timeout=0, sync_filter=FILTER, full_state=True))
        if self.client.should_upload_keys:
            granted(await self.client.keys_upload())
        self._syncing = asyncio.create_task(
            self.client.sync_forever(timeout=LONG_POLL_MS, sync_filter=FILTER)
        )

    async def stop(self) -> None:
        """Syncs no longer."""
        if self._syncing is not None:
            self._syncing.cancel()
            await asyncio.gather(self._syncing, return_exceptions=True)
        await self.client.close()

    async def eventually(self, what: str, probe: Callable[[], Any]) -> Any:
        """Waits for what this device learns by syncing; fails when it cannot sync any more."""

        def probed() -> Any:
            if self._syncing is not None and self._syncing.done():
                raise RuntimeError(f"it cannot sync any more: {self._syncing.exception()!r}")
            return probe()

        return await eventually(what, probed)

    async def follows_invitation(self, room: str) -> None:
        """Joins a room to which it was invited, and knows that it is encrypted."""
        await self.eventually("it is invited", lambda: room in self.invited)
        granted(await self.client.join(room))
        await self.eventually(
            "it knows that the room is encrypted",
            lambda: room in self.client.rooms and self.client.rooms[room].encrypted,
        )

    async def tell(self, room: str, texts: list[str]) -> list[Told]:
        """Sends texts, one after another."""
        told = []
        for text in texts:
            content = {"msgtype": "m.text", "body": text}
            sent = await self.client.room_send(
                room, "m.room.message", content, ignore_unverified_devices=True
            )
            told.append((granted(sent).event_id, text))
        return told

    async def hears(self, room: str, sender: str, count: int) -> list[Told]:
        """Waits for this many texts of somebody, and gives them in their order."""
        return await self.eventually(
            f"it hears {count} texts of {sender}",
            lambda: (heard := self.heard(room, sender)) and len(heard) >= count and heard,
        )

    def heard(self, room: str, sender: str) -> list[Told]:
        """What it has heard of somebody so far."""
        return [told for who, told in self._texts.get(room, []) if who == sender]

    async def history(self, room: str) -> tuple[list[Told], int]:
        """All texts of a room, oldest first, and how many events of it cannot be read."""
        texts: list[Told] = []
        unreadable = 0
        token = ""
        while token is not None:
            page = granted(
                await self.client.room_messages(
                    room, start=token, limit=40, direction=MessageDirection.back
                )
            )
            for event in page.chunk:
                if isinstance(event, RoomMessageText):
                    texts.append((event.event_id, event.body))
                unreadable += isinstance(event, MegolmEvent)
            token = page.end
        return texts[::-1], unreadable

    async def _note_text(self, room: MatrixRoom, event: RoomMessageText) -> None:
        if not event.decrypted:
            raise RuntimeError(f"{event.event_id} came readable")
        told = (event.event_id, event.body)
        self._texts.setdefault(room.room_id, []).append((event.sender, told))

    async def _note_unreadable(self, _: MatrixRoom, event: MegolmEvent) -> None:
        self.unreadable.append(event.event_id)

    async def _note_invitation(self, room: MatrixRoom, _: InviteMemberEvent) -> None:
        self.invited.add(room.room_id)

"""Somebody comes into an encrypted room that another client has opened, talks there, and reads the
same on a second device.

What there is to play with comes as JSON on standard input; what the other client needs to compare
leaves as JSON on standard output. `cargo xtask test --clients` starts a server and plays it.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from device import Device, Told, granted

PASSPHRASE = "only for the way"


def lines(scene: dict[str, Any]) -> list[str]:
    """What is said here."""
    return [f"Dave says, {line + 1}: {scene['marker']}" for line in range(scene["each"])]


async def recovers(scene: dict[str, Any], first: Device, folder: Path) -> list[Told]:
    """A second device reads nothing until it has the keys of the first, and everything then."""
    room = scene["room"]
    keys = folder / "keys"
    await first.client.export_keys(str(keys), PASSPHRASE)
    second = await Device.log_in(
        scene["server"], scene["dave"], "Dave's other client", folder / "second"
    )
    texts, unreadable = await second.history(room)
    if texts or unreadable < 2 * scene["each"]:
        raise RuntimeError(f"without keys it reads {len(texts)} texts, and not {unreadable}")
    await second.client.import_keys(str(keys), PASSPHRASE)
    texts, unreadable = await second.history(room)
    if unreadable:
        raise RuntimeError(f"with all keys it cannot read {unreadable} events")
    granted(await second.client.logout())
    await second.stop()
    return texts


async def play(scene: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Plays the story in a scene."""
    room, alice, each = scene["room"], scene["alice"], scene["each"]
    device = await Device.log_in(
        scene["server"], scene["dave"], "Dave's client", folder / "first"
    )
    await device.follows_invitation(room)
    # One greets, so that the two share a secret before both talk at the same time. Where each of
    # them begins one, the other client sends the key of its messages again, from where they then
    # are, and this one forgets what it had from their beginning.
    greeting, *others = lines(scene)
    said = await device.tell(room, [greeting])
    more, heard = await asyncio.gather(
        device.tell(room, others), device.hears(room, alice, each)
    )
    said += more
    if device.unreadable:
        raise RuntimeError(f"it cannot read {device.unreadable}")
    last = heard[-1][0]
    granted(await device.client.room_read_markers(room, last, last))
    history = await recovers(scene, device, folder)
    await device.stop()
    return {"user": device.client.user_id, "said": said, "heard": heard, "history": history}


def main() -> None:
    scene = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(play(scene, Path(folder)))
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()

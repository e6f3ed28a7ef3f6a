#!/usr/bin/env python3
"""Writes events.json: event ids and redacted contents for every room version.

An implementation of the specification's text that shares no code with the crate, so that the two
check each other. Run it in this folder; it first proves itself on the specification's own vectors.
"""

import base64
import hashlib
import json


def canonical(value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def sha256(value, urlsafe=False):
    digest = hashlib.sha256(canonical(value)).digest()
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    return encode(digest).decode().rstrip("=")


def content_hash(event):
    left_out = ("unsigned", "signatures", "hashes")
    return sha256({k: v for k, v in event.items() if k not in left_out})


def redacted_content(kind, content, version):
    keep = set()
    if kind == "m.room.member":
        keep = {"membership"}
        if version >= 9:
            keep |= {"join_authorised_via_users_server"}
    elif kind == "m.room.create":
        keep = set(content) if version >= 11 else {"creator"}
    elif kind == "m.room.join_rules":
        keep = {"join_rule"} | ({"allow"} if version >= 8 else set())
    elif kind == "m.room.power_levels":
        keep = {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"}
        keep |= {"invite"} if version >= 11 else set()
    elif kind == "m.room.history_visibility":
        keep = {"history_visibility"}
    elif kind == "m.room.aliases" and version <= 5:
        keep = {"aliases"}
    elif kind == "m.room.redaction" and version >= 11:
        keep = {"redacts"}
    result = {k: v for k, v in content.items() if k in keep}
    if kind == "m.room.member" and version >= 11 and "third_party_invite" in content:
        invite = content["third_party_invite"]
        result["third_party_invite"] = {k: v for k, v in invite.items() if k == "signed"}
    return result


def redact(event, version):
    keep = {"event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures",
            "depth", "prev_events", "auth_events", "origin_server_ts"}
    if version <= 10:
        keep |= {"origin", "membership", "prev_state"}
    result = {k: v for k, v in event.items() if k in keep}
    result["content"] = redacted_content(event["type"], event["content"], version)
    return result


def reference_hash(event, version):
    left_out = ("unsigned", "signatures", "age_ts")
    event = {k: v for k, v in redact(event, version).items() if k not in left_out}
    return sha256(event, urlsafe=version >= 4)


ALICE = "@alice:example.org"
PREV_HASH = "acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk"
TARGET = "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg"

DRAFTS = [
    ("m.room.message", None, {"body": "Grüße, 世界 🚀\n\"quoted\"", "msgtype": "m.text", "n": -9007199254740991}),
    ("m.room.member", "@bob:example.org", {
        "membership": "invite", "displayname": "Bob", "join_authorised_via_users_server": ALICE,
        "third_party_invite": {"display_name": "b", "signed": {"mxid": "@bob:example.org", "token": "t"}}}),
    ("m.room.power_levels", "", {
        "ban": 50, "events": {"m.room.name": 100}, "events_default": 0, "invite": 10, "kick": 50,
        "notifications": {"room": 20}, "redact": 50, "state_default": 50, "users": {}, "users_default": 0}),
    ("m.room.create", "", {"creator": ALICE, "m.federate": False, "type": "m.space"}),
    ("m.room.join_rules", "", {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": "!x:y"}], "x": 1}),
    ("m.room.history_visibility", "", {"history_visibility": "joined", "x": None}),
    ("m.room.aliases", "example.org", {"aliases": ["#a:example.org"], "x": True}),
    ("m.room.redaction", None, {"reason": "spam"}),
    ("org.example.custom", "key", {"deep": {"er": [{}, [], ""]}}),
]


def vector(version, kind, state_key, content):
    create = kind == "m.room.create"
    content = dict(content)
    if kind == "m.room.create":
        content["room_version"] = str(version)
    event = {"type": kind, "sender": ALICE, "origin_server_ts": 1700000000000, "depth": 1 if create else 7}
    if not (create and version >= 12):
        event["room_id"] = "!room:example.org"
    if state_key is not None:
        event["state_key"] = state_key
    if kind == "m.room.redaction":
        if version >= 11:
            content["redacts"] = TARGET
        else:
            event["redacts"] = TARGET
    if version <= 2:
        prev = [["$prev:example.org", {"sha256": PREV_HASH}]]
        event["event_id"] = "$local:example.org"
    else:
        prev = ["$" + PREV_HASH]
    event["prev_events"] = [] if create else prev
    event["auth_events"] = [] if create else prev
    event["content"] = content
    event["hashes"] = {"sha256": content_hash(event)}
    reference = reference_hash(event, version)
    return {
        "version": str(version), "type": kind, "state_key": state_key, "json": canonical(event).decode(),
        "event_id": event.get("event_id", "$" + reference), "reference_hash": reference,
        "redacted_content": canonical(redacted_content(kind, content, version)).decode(),
    }


def prove():
    minimal = {"room_id": "!x:domain", "sender": "@a:domain", "origin": "domain", "origin_server_ts": 1000000,
               "signatures": {}, "hashes": {}, "type": "X", "content": {}, "prev_events": [], "auth_events": [],
               "depth": 3, "unsigned": {"age_ts": 1000000}}
    assert content_hash(minimal) == "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"
    redactable = {"content": {"body": "Here is the message content"}, "event_id": "$0:domain", "origin": "domain",
                  "origin_server_ts": 1000000, "type": "m.room.message", "room_id": "!r:domain",
                  "sender": "@u:domain", "signatures": {}, "unsigned": {"age_ts": 1000000}}
    assert content_hash(redactable) == "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g"


if __name__ == "__main__":
    prove()
    vectors = [vector(version, *draft) for version in range(1, 13) for draft in DRAFTS]
    with open("events.json", "w", encoding="utf-8") as file:
        lines = ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors)
        file.write(f"[\n{lines}\n]\n")

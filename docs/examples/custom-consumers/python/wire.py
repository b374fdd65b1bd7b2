"""How messages of Hollowtrees look on the bus: subjects, keys, ids, headers, bodies."""

import hashlib
import json
import urllib.parse
from datetime import datetime, timezone

PLAIN = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


def token(name: str) -> str:
    """A name as a token of a subject or a part of a key."""
    return "".join(chr(byte) if byte in PLAIN else f"={byte:02X}" for byte in name.encode()) or "="


def attribute(value: str) -> str:
    """The value of a `ce-` header."""
    return urllib.parse.quote(value, safe=VISIBLE)


def attributes(message) -> dict:
    """The headers of a message by their names in lower case."""
    return {name.lower(): urllib.parse.unquote(value) for name, value in (message.headers or {}).items()}


def message_id(source: str, event: str) -> str:
    """`Nats-Msg-Id` of an event, from its `ce-source` and `ce-id`."""
    digest = hashlib.sha256()
    for field in (b"message", source.encode(), event.encode()):
        digest.update(len(field).to_bytes(8, "big") + field)
    return digest.hexdigest()[:32]


def text(at: datetime) -> str:
    return at.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    return text(datetime.now(timezone.utc))


class Action:
    """An action as it came, and what became known of it since."""

    def __init__(self, message, worker: dict):
        self.worker = worker
        headers = attributes(message)
        self.data = json.loads(message.data)
        cluster, kind, instance = (token(self.data[key]) for key in ("cluster", "kind", "instance"))
        if message.subject != f"ht.action.v1.{cluster}.{kind}.{instance}":
            raise ValueError(f"what it says does not belong on {message.subject}")
        self.redrive = int(headers.get("ht-redrive") or self.data.get("redrive", 0))
        self.id = self.data["id"] + (f".r{self.redrive}" if self.redrive else "")
        self.done_key, self.ledger_key = f"{cluster}.{self.id}", f"{cluster}.{self.data['id']}"
        self.incident_key = f"{cluster}.{instance}"
        expiry = headers.get("ht-deadline") or headers.get("ce-expirytime")
        self.expiry = datetime.fromisoformat(expiry) if expiry else None
        self.trace = headers.get("ce-traceparent", "")[3:35]
        self.attempt = message.metadata.num_delivered
        self.times = {"publishedAt": text(message.metadata.timestamp), "acceptedAt": now()}
        if "noticedAt" in self.data:
            self.times["noticedAt"] = self.data["noticedAt"]
        self.live = self.data.get("mode", "live") == "live"
        self.withdrawn = False

    def look(self, incident: dict | None) -> None:
        """Takes over what the incident says. Once withdrawn it stays so: a later read may be an older one."""
        if incident is None or not self.live or self.data.get("onCancel"):
            return  # What undoes a withdrawn incident is not stopped by it.
        ours, theirs = int(self.data.get("generation", 0)), int(incident.get("generation", 0))
        if theirs == ours and incident.get("state") == "cancelled" or theirs > ours and not self.redrive:
            self.withdrawn = True

    def expired(self) -> bool:
        return self.expiry is not None and self.expiry <= datetime.now(timezone.utc)

    def outcome(self, result: str, reason: str, message: str) -> dict:
        same = ("cluster", "kind", "instance", "generation", "mode", "certainty", "deadline")
        own = {"result": result, "reason": reason, "message": message, "worker": self.worker, "times": dict(self.times)}
        own |= {"actionId": self.data["id"], "redrive": self.redrive, "attempt": self.attempt}
        own["provider"] = self.data.get("target", {}).get("provider", "")
        return {key: self.data[key] for key in same if key in self.data} | own


def outcome_message(event: str, trace: str, outcome: dict) -> tuple[str, bytes, dict]:
    """Subject, body and headers of an outcome; `event` is the action's id, `.r<redrive>` behind it if redriven."""
    cluster, kind, result, instance = (outcome[key] for key in ("cluster", "kind", "result", "instance"))
    source = f"/hollowtrees/{urllib.parse.quote(cluster, safe='')}/{kind}"
    event = f"{event}.{result}"
    if result == "progress":
        event += f".{outcome['reason']}.{outcome['attempt']}"
    digest = message_id(source, event)
    values = {
        "specversion": "1.0",
        "id": event,
        "source": source,
        "type": "io.hollowtrees.outcome.v1",
        "datacontenttype": "application/json",
        "dataschema": "https://hollowtrees.io/schemas/v1/outcome",
        "subject": instance,
        "time": outcome["times"].get("endedAt"),
        "partitionkey": instance,
        "traceparent": f"00-{trace}-{digest[:16]}-01" if trace else None,
    }
    headers = {f"ce-{name}": attribute(value) for name, value in values.items() if value}
    subject = f"ht.outcome.v1.{token(cluster)}.{token(kind)}.{result}.{token(instance)}"
    return subject, json.dumps(outcome).encode(), headers | {"Nats-Msg-Id": digest}


def dead_letter(message, reason: str) -> tuple[str, bytes, dict]:
    """Subject, body and headers of a dead letter: the original whole, and why nobody could use it."""
    meta = message.metadata
    sequence = str(meta.sequence.stream)
    headers = {f"Ht-Original-{name}": value for name, value in (message.headers or {}).items()} | {
        "Ht-Dead-Stream": meta.stream,
        "Ht-Dead-Consumer": meta.consumer,
        "Ht-Dead-Subject": message.subject,
        "Ht-Dead-Sequence": sequence,
        "Ht-Dead-Class": "undecodable",
        "Ht-Dead-Reason": " ".join(reason.split()),
        "Ht-Dead-At": now(),
        "Nats-Msg-Id": message_id(f"dead/{meta.stream}/{meta.consumer}", sequence),
    }
    cluster = message.subject.split(".")[3]
    return f"ht.dead.v1.{cluster}.{meta.stream}.{token(meta.consumer)}", message.data, headers

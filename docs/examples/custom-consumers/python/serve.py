"""Serves actions of the kind `page-oncall`: pages the people in its `params`, one after another.

    NATS_URL=nats://127.0.0.1:4222 PAGER_URL=http://127.0.0.1:8080/page python serve.py

The contract it keeps is in docs/custom-consumers.md. One action at a time; more copies share the work.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import urllib.request

import nats

from bus import bucket, connect, durable, publish, read, take
from wire import Action, dead_letter, now, outcome_message

KIND = "page-oncall"
WORKER = {"kind": KIND, "process": f"{socket.gethostname()}-{os.getpid()}", "version": "1"}
PAGER = os.environ.get("PAGER_URL", "http://127.0.0.1:8080/page")
KEEP_ALIVE_EVERY = 1.5  # seconds; after 5 without a word the server gives the action to another copy
DONE_FOR = 7 * 24 * 3600  # seconds; as long as the stream keeps an action

log = logging.getLogger(KIND)


class Worker:
    def __init__(self, js, done, incidents, ledger, stopping):
        self.js, self.done, self.incidents, self.ledger, self.stopping = js, done, incidents, ledger, stopping

    async def handle(self, message) -> None:
        """Settles a delivery, whatever happens."""
        try:
            action = Action(message, WORKER)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.error("A message on %s is no action: %r", message.subject, error)
            await publish(self.js, *dead_letter(message, f"this is no action: {error!r}"))
            return await message.term()
        alive = asyncio.create_task(self.keep_alive(message, action))
        try:
            await self.conclude(action)
            await message.ack()
        except Exception as error:  # Nothing is lost: the server hands it out again.
            log.warning("%s is handed back: %r", action.id, error)
            await message.nak(delay=2)
        finally:
            alive.cancel()

    async def conclude(self, action: Action) -> None:
        if (outcome := await read(self.done, action.done_key)) is not None:
            return await self.tell(action, outcome)  # Done before; the telling may have been lost.
        ended = await read(self.ledger, action.ledger_key) or {}
        if ended.get("state") == "done" and ended.get("redrive", 0) >= action.redrive:
            return None  # The router ended it, for its time passed or it was withdrawn, and has said so.
        action.look(await read(self.incidents, action.incident_key))
        outcome = self.refuse(action) or await self.page_all(action)
        outcome["times"]["endedAt"] = now()
        await self.done.put(action.done_key, json.dumps(outcome).encode())
        await self.tell(action, outcome)
        log.info("%s of %s: %s", action.id, action.data["instance"], outcome["result"])

    def refuse(self, action: Action) -> dict | None:
        """The outcome of an action that must not be begun."""
        if not action.live:
            return action.outcome("skipped", action.data["mode"], "This was not live: nobody was paged.")
        if action.withdrawn:
            return action.outcome("cancelled", "withdrawn", "The incident was withdrawn.")
        if action.expired():  # Delivered before, it may have been begun.
            return action.outcome("expired" if action.attempt == 1 else "failed", "deadline", "Its time had passed.")
        return None

    async def page_all(self, action: Action) -> dict:
        people = (action.data.get("params") or {}).get("people") or []
        if not people:
            return action.outcome("failed", "no-people", "The rule names nobody to page: set `params.people`.")
        action.times["startedAt"] = now()
        await self.tell(action, action.outcome("progress", "begun", f"Paging {len(people)}."))
        for person in people:
            while True:  # Between two pages it is safe to stop.
                if action.withdrawn:
                    return action.outcome("cancelled", "withdrawn", f"Withdrawn before {person} was paged.")
                if action.expired():
                    return action.outcome("failed", "deadline", f"No time was left to page {person}.")
                try:
                    await asyncio.to_thread(page, action, person)
                    break
                except OSError as error:
                    log.warning("Cannot page %s: %s", person, error)
                    if self.stopping.is_set():
                        raise  # Another copy goes on with it.
                    await asyncio.sleep(1)
        return action.outcome("succeeded", "", f"Paged {', '.join(people)}.")

    async def keep_alive(self, message, action: Action) -> None:
        """Keeps the delivery ours, and looks whether the incident was withdrawn."""
        while True:
            await asyncio.sleep(KEEP_ALIVE_EVERY)
            try:
                await message.in_progress()
                action.look(await read(self.incidents, action.incident_key))
            except (nats.errors.Error, asyncio.TimeoutError) as error:
                log.warning("Cannot look at the incident of %s: %r", action.id, error)

    async def tell(self, action: Action, outcome: dict) -> None:
        await publish(self.js, *outcome_message(action.id, action.trace, outcome))


def page(action: Action, person: str) -> None:
    """Asks the pager; under one key it pages once, however often it is asked."""
    key = f"{action.id}/{person}"
    text = f"{action.data['instance']} in {action.data['cluster']} goes at {action.data.get('deadline', 'any time')}"
    body = json.dumps({"person": person, "text": text}).encode()
    headers = {"content-type": "application/json", "idempotency-key": key, "user-agent": WORKER["process"]}
    with urllib.request.urlopen(urllib.request.Request(PAGER, body, headers), timeout=30):
        pass


async def main() -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    nc = await connect(KIND)
    js = nc.jetstream(timeout=2)
    done = await bucket(js, "page_oncall_done", DONE_FOR)
    incidents, ledger = await js.key_value("ht_incidents"), await js.key_value("ht_ledger")
    worker = Worker(js, done, incidents, ledger, stopping)
    actions = await durable(js, "HT_ACTIONS", KIND, f"ht.action.v1.*.{KIND}.*", ack_wait=5)
    log.info("Serving as %s.", WORKER["process"])
    async for message in take(actions, stopping):
        await worker.handle(message)
    await nc.drain()
    log.info("Stopped.")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(main())

"""Prints every notice and every outcome, one line each, and goes on where it stopped.

    NATS_URL=nats://127.0.0.1:4222 python watch.py [NAME]

NAME (default `watch`) is what the place it has read to is kept under on the server: its durable consumers are called
NAME-notices and NAME-outcomes. The first start begins with what is new. What was printed and not yet acknowledged when
it was killed is printed again.
"""

import asyncio
import json
import logging
import signal
import sys

import nats
from nats.js.api import DeliverPolicy

from bus import connect, durable

FEEDS = {"notices": ("HT_NOTICES", "ht.notice.v1.>"), "outcomes": ("HT_OUTCOMES", "ht.outcome.v1.>")}

log = logging.getLogger("watch")


async def main(name: str) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    nc = await connect(name)
    js = nc.jetstream()
    reading = []
    for feed, (stream, subject) in FEEDS.items():
        messages = await durable(js, stream, f"{name}-{feed}", subject, ack_wait=30, start=DeliverPolicy.NEW)
        reading.append(asyncio.create_task(read(messages)))
    log.info("Watching.")
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait([*reading, stopped], return_when=asyncio.FIRST_COMPLETED)
    for task in [*reading, stopped]:
        task.cancel()
    ended = await asyncio.gather(*reading, return_exceptions=True)
    await nc.drain()
    for error in ended:
        if not isinstance(error, asyncio.CancelledError):
            raise error


async def read(feed) -> None:
    while True:
        try:
            messages = await feed.fetch(64, timeout=5)
        except asyncio.TimeoutError:  # Nothing came, or the connection is being made anew.
            continue
        except nats.errors.Error as error:
            log.warning("Cannot read (%r); trying again.", error)
            await asyncio.sleep(1)
            continue
        for message in messages:
            print(line(message), flush=True)
            await message.ack()


def line(message) -> str:
    try:
        said = json.loads(message.data)
        if message.subject.startswith("ht.notice."):
            words = ["notice", said["cluster"], said["instance"], said["kind"], said.get("state", "active")]
            words += [said.get("mode", "live"), said.get("deadline", "no deadline")]
        else:
            words = ["outcome", said["cluster"], said["instance"], said["kind"], said["result"]]
            words += [said.get("reason", ""), said.get("message", "")]
        return " ".join(word for word in words if word)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"unreadable {message.subject}: {error!r}"


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "watch"))

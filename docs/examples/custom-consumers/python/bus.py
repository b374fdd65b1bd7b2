"""How a program gets at the bus, and stays there."""

import asyncio
import json
import logging
import os

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, KeyValueConfig, StorageType
from nats.js.errors import NotFoundError

log = logging.getLogger("bus")


async def connect(name: str) -> nats.NATS:
    """Connects, and again whenever the connection is lost, for ever."""

    async def on_error(error: Exception) -> None:
        log.warning("%r", error)

    return await nats.connect(
        os.environ.get("NATS_URL", "nats://127.0.0.1:4222"),
        name=name,
        user=os.environ.get("NATS_USER"),
        password=os.environ.get("NATS_PASSWORD"),
        user_credentials=os.environ.get("NATS_CREDS"),
        max_reconnect_attempts=-1,
        error_cb=on_error,
    )


async def durable(js, stream: str, name: str, subject: str, ack_wait: int, start=DeliverPolicy.ALL):
    """Binds to the durable consumer of that name, made first if there is none."""
    try:
        await js.consumer_info(stream, name)
    except NotFoundError:
        config = ConsumerConfig(
            name=name,
            durable_name=name,
            deliver_policy=start,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ack_wait,
            max_deliver=-1,
            max_ack_pending=20_000,
            filter_subject=subject,
        )
        await js.add_consumer(stream, config)
    return await js.pull_subscribe_bind(durable=name, stream=stream)


async def publish(js, subject: str, body: bytes, headers: dict) -> None:
    """Until it is stored; told twice under one `Nats-Msg-Id` it is stored once."""
    while True:
        try:
            await js.publish(subject, body, headers=headers, timeout=2)
            return
        except (nats.errors.Error, asyncio.TimeoutError) as error:
            log.warning("Not stored yet (%r): %s", error, subject)
            await asyncio.sleep(0.5)


async def read(bucket, key: str) -> dict | None:
    """The record of that key."""
    try:
        return json.loads((await bucket.get(key)).value)
    except NotFoundError:
        return None


async def take(consumer, stopping: asyncio.Event):
    """Messages one at a time until `stopping`: one that waits in a buffer of ours is given to another meanwhile."""
    stopped = asyncio.create_task(stopping.wait())
    while not stopping.is_set():
        fetching = asyncio.create_task(consumer.fetch(1, timeout=5))
        await asyncio.wait([fetching, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not fetching.done():
            fetching.cancel()
            break
        try:
            for message in fetching.result():
                yield message
        except asyncio.TimeoutError:
            pass  # Nothing came, or the connection is being made anew.
        except nats.errors.Error as error:
            log.warning("Cannot take messages (%r); trying again.", error)
            await asyncio.sleep(1)


async def bucket(js, name: str, ttl: int):
    """A bucket of one's own, made first if there is none; a record is kept for `ttl` seconds."""
    try:
        return await js.key_value(name)
    except NotFoundError:
        config = KeyValueConfig(bucket=name, ttl=ttl, storage=StorageType.FILE, direct=True)
        return await js.create_key_value(config)

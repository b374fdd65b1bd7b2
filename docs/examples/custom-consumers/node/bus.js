// How a program gets at the bus, and stays there.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { AckPolicy, jetstream, JetStreamApiCodes } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect as dial, credsAuthenticator } from "@nats-io/transport-node";

const { NATS_URL = "nats://127.0.0.1:4222", NATS_USER, NATS_PASSWORD, NATS_CREDS } = process.env;

/** Connects, and again whenever the connection is lost, for ever. */
export async function connect(name) {
  const connection = await dial({
    servers: NATS_URL.split(","),
    name,
    user: NATS_USER,
    pass: NATS_PASSWORD,
    authenticator: NATS_CREDS ? credsAuthenticator(readFileSync(NATS_CREDS)) : undefined,
    maxReconnectAttempts: -1,
  });
  const listen = async () => {
    for await (const status of connection.status()) {
      if (status.type === "error") console.warn("The bus:", status.error?.message);
    }
  };
  listen();
  return { connection, js: jetstream(connection, { timeout: 2_000 }) };
}

/** Binds to a durable consumer, made first if there is none. */
export async function durable(js, stream, config) {
  const { durable_name: name } = config;
  try {
    return await js.consumers.get(stream, name);
  } catch (error) {
    if (error.code !== JetStreamApiCodes.ConsumerNotFound) throw error;
  }
  const manager = await js.jetstreamManager();
  await manager.consumers.add(stream, {
    ack_policy: AckPolicy.Explicit,
    max_deliver: -1,
    max_ack_pending: 20_000,
    ...config,
  });
  return await js.consumers.get(stream, name);
}

/** A bucket; one of one's own is made first if there is none, and keeps a record for `ttl` milliseconds. */
export async function bucket(js, name, ttl) {
  const kvm = new Kvm(js);
  return ttl ? await kvm.create(name, { ttl, allow_direct: true }) : await kvm.open(name, { allow_direct: true });
}

/** The record of that key, if there is one. */
export async function read(records, key) {
  const entry = await records.get(key);
  return entry?.operation === "PUT" ? entry.json() : undefined;
}

/** Until it is stored; told twice under one `Nats-Msg-Id` it is stored once. */
export async function publish(js, [subject, body, headers]) {
  for (;;) {
    try {
      return await js.publish(subject, body, { headers, timeout: 2_000 });
    } catch (error) {
      console.warn(`Not stored yet (${error.message}): ${subject}`);
      await sleep(500);
    }
  }
}

/** Messages one at a time until `stopping`: one that waits in a buffer of ours is given to another meanwhile. */
export async function* take(consumer, stopping) {
  const stopped = new Promise((resolve) => stopping.addEventListener("abort", () => resolve(), { once: true }));
  while (!stopping.aborted) {
    try {
      const message = await Promise.race([consumer.next({ expires: 5_000 }), stopped]);
      if (message) yield message;
    } catch (error) {
      console.warn(`Cannot take messages (${error.message}); trying again.`);
      await sleep(1_000);
    }
  }
}

/** Aborted by the first SIGINT or SIGTERM. */
export function stopSignal() {
  const stopping = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => stopping.abort());
  return stopping.signal;
}

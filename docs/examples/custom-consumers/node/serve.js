// Serves actions of the kind `page-oncall`: pages the people in its `params`, one after another.
//
//   NATS_URL=nats://127.0.0.1:4222 PAGER_URL=http://127.0.0.1:8080/page node serve.js
//
// The contract it keeps is in docs/custom-consumers.md. One action at a time; more copies share the work.
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { bucket, connect, durable, publish, read, stopSignal, take } from "./bus.js";
import { Action, deadLetter, now } from "./wire.js";

const KIND = "page-oncall";
const WORKER = { kind: KIND, process: `${hostname()}-${process.pid}`, version: "1" };
const PAGER = process.env.PAGER_URL ?? "http://127.0.0.1:8080/page";
const KEEP_ALIVE_EVERY = 1_500; // ms; after 5 s without a word the server gives the action to another copy
const DONE_FOR = 7 * 24 * 3_600_000; // ms; as long as the stream keeps an action

const stopping = stopSignal();
const { connection, js } = await connect(KIND);
const done = await bucket(js, "page_oncall_done", DONE_FOR);
const incidents = await bucket(js, "ht_incidents");
const ledger = await bucket(js, "ht_ledger");

/** Settles a delivery, whatever happens. */
async function handle(message) {
  let action;
  try {
    action = new Action(message, WORKER);
  } catch (error) {
    console.error(`A message on ${message.subject} is no action: ${error.message}`);
    await publish(js, deadLetter(message, `this is no action: ${error.message}`));
    return message.term();
  }
  const alive = setInterval(() => keepAlive(message, action), KEEP_ALIVE_EVERY);
  try {
    await conclude(action);
    message.ack();
  } catch (error) {
    console.warn(`${action.event} is handed back: ${error.message}`); // Nothing is lost: it is handed out again.
    message.nak(2_000);
  } finally {
    clearInterval(alive);
  }
}

async function conclude(action) {
  const before = await read(done, action.doneKey);
  if (before) return await publish(js, action.message(before)); // Done before; the telling may have been lost.
  const ended = await read(ledger, action.ledgerKey);
  // The router ended it, for its time passed or it was withdrawn, and has said so.
  if (ended?.state === "done" && (ended.redrive ?? 0) >= action.redrive) return;
  action.look(await read(incidents, action.incidentKey));
  const outcome = refuse(action) ?? (await pageAll(action));
  outcome.times.endedAt = now();
  await done.put(action.doneKey, JSON.stringify(outcome));
  await publish(js, action.message(outcome));
  console.log(`${action.event} of ${action.data.instance}: ${outcome.result}`);
}

/** The outcome of an action that must not be begun. */
function refuse(action) {
  if (!action.live) return action.outcome("skipped", action.data.mode, "This was not live: nobody was paged.");
  if (action.withdrawn) return action.outcome("cancelled", "withdrawn", "The incident was withdrawn.");
  if (action.expired) {
    // Delivered before, it may have been begun.
    return action.outcome(action.attempt === 1 ? "expired" : "failed", "deadline", "Its time had passed.");
  }
}

async function pageAll(action) {
  const people = action.data.params?.people ?? [];
  if (people.length === 0) {
    return action.outcome("failed", "no-people", "The rule names nobody to page: set `params.people`.");
  }
  action.times.startedAt = now();
  await publish(js, action.message(action.outcome("progress", "begun", `Paging ${people.length}.`)));
  for (const person of people) {
    for (let paged = false; !paged; ) {
      // Between two pages it is safe to stop.
      if (action.withdrawn) return action.outcome("cancelled", "withdrawn", `Withdrawn before ${person} was paged.`);
      if (action.expired) return action.outcome("failed", "deadline", `No time was left to page ${person}.`);
      try {
        await page(action, person);
        paged = true;
      } catch (error) {
        console.warn(`Cannot page ${person}: ${error.message}`);
        if (stopping.aborted) throw error; // Another copy goes on with it.
        await sleep(1_000);
      }
    }
  }
  return action.outcome("succeeded", "", `Paged ${people.join(", ")}.`);
}

/** Asks the pager; under one key it pages once, however often it is asked. */
async function page(action, person) {
  const { instance, cluster, deadline = "any time" } = action.data;
  const answer = await fetch(PAGER, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "idempotency-key": `${action.event}/${person}`,
      "user-agent": WORKER.process,
    },
    body: JSON.stringify({ person, text: `${instance} in ${cluster} goes at ${deadline}` }),
    signal: AbortSignal.timeout(30_000),
  });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`the pager answers ${answer.status}`);
}

/** Keeps the delivery ours, and looks whether the incident was withdrawn. */
async function keepAlive(message, action) {
  try {
    message.working();
    action.look(await read(incidents, action.incidentKey));
  } catch (error) {
    console.warn(`Cannot look at the incident of ${action.event}: ${error.message}`);
  }
}

const actions = await durable(js, "HT_ACTIONS", {
  durable_name: KIND,
  filter_subject: `ht.action.v1.*.${KIND}.*`,
  ack_wait: 5_000_000_000, // ns
});
console.log(`Serving as ${WORKER.process}.`);
for await (const message of take(actions, stopping)) await handle(message);
await connection.drain();
console.log("Stopped.");

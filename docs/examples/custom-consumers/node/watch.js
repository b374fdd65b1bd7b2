// Prints every notice and every outcome, one line each, and goes on where it stopped.
//
//   NATS_URL=nats://127.0.0.1:4222 node watch.js [NAME]
//
// NAME (default `watch`) is what the place it has read to is kept under on the server: its durable consumers are called
// NAME-notices and NAME-outcomes. The first start begins with what is new. What was printed and not yet acknowledged when
// it was killed is printed again.
import { setTimeout as sleep } from "node:timers/promises";
import { DeliverPolicy } from "@nats-io/jetstream";
import { connect, durable, stopSignal } from "./bus.js";

const name = process.argv[2] ?? "watch";
const feeds = { HT_NOTICES: "notice", HT_OUTCOMES: "outcome" };

function line(message) {
  try {
    const said = message.json();
    const { cluster, instance, kind, state = "active", mode = "live", deadline = "no deadline" } = said;
    const words = message.subject.startsWith("ht.notice.")
      ? ["notice", cluster, instance, kind, state, mode, deadline]
      : ["outcome", cluster, instance, kind, said.result, said.reason, said.message];
    return words.filter(Boolean).join(" ");
  } catch (error) {
    return `unreadable ${message.subject}: ${error.message}`;
  }
}

const stopping = stopSignal();
const { connection, js } = await connect(name);

/** Prints what comes; when the subscription ends before its time it is made anew. */
async function follow(consumer) {
  while (!stopping.aborted) {
    try {
      const messages = await consumer.consume({ max_messages: 64 });
      const stop = () => messages.stop();
      stopping.addEventListener("abort", stop, { once: true });
      for await (const message of messages) {
        console.log(line(message));
        message.ack();
      }
      stopping.removeEventListener("abort", stop);
    } catch (error) {
      console.warn(`Cannot read (${error.message}); trying again.`);
      await sleep(1_000);
    }
  }
}

const consumers = [];
for (const [stream, word] of Object.entries(feeds)) {
  const config = {
    durable_name: `${name}-${word}s`,
    deliver_policy: DeliverPolicy.New,
    filter_subject: `ht.${word}.v1.>`,
    ack_wait: 30_000_000_000, // ns
  };
  consumers.push(await durable(js, stream, config));
}
console.log("Watching.");
await Promise.all(consumers.map(follow));
await connection.drain();

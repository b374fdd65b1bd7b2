// How messages of Hollowtrees look on the bus: subjects, keys, ids, headers, bodies.
import { createHash } from "node:crypto";
import { headers } from "@nats-io/transport-node";

const escape = (text, mark, plain) =>
  [...Buffer.from(text)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return plain.test(char) ? char : mark + byte.toString(16).toUpperCase().padStart(2, "0");
    })
    .join("");

/** A name as a token of a subject or a part of a key. */
export const token = (name) => escape(name, "=", /[A-Za-z0-9_-]/) || "=";
/** A name as a part of a ce-source. */
const segment = (name) => escape(name, "%", /[A-Za-z0-9._~-]/);
/** The value of a ce- header. */
const attribute = (value) => escape(value, "%", /[!#$&-~]/);

/** The headers of a message by their names in lower case. */
const attributes = (message) =>
  Object.fromEntries(
    (message.headers?.keys() ?? []).map((name) => [name.toLowerCase(), decodeURIComponent(message.headers.get(name))]),
  );

/** `Nats-Msg-Id` of an event, from its `ce-source` and `ce-id`. */
export function messageId(source, event) {
  const digest = createHash("sha256");
  for (const field of ["message", source, event]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(Buffer.byteLength(field)));
    digest.update(length).update(field);
  }
  return digest.digest("hex").slice(0, 32);
}

export const now = () => new Date().toISOString();

/** An action as it came, and what became known of it since. Fails on what is none. */
export class Action {
  withdrawn = false;

  constructor(message, worker) {
    const given = attributes(message);
    const data = message.json();
    const [cluster, kind, instance] = [data.cluster, data.kind, data.instance].map(token);
    if (!data.id || message.subject !== `ht.action.v1.${cluster}.${kind}.${instance}`) {
      throw new Error(`what it says does not belong on ${message.subject}`);
    }
    const expiry = given["ht-deadline"] ?? given["ce-expirytime"];
    this.data = data;
    this.worker = worker;
    this.redrive = Number(given["ht-redrive"] ?? data.redrive ?? 0);
    this.event = this.redrive ? `${data.id}.r${this.redrive}` : data.id;
    this.doneKey = `${cluster}.${this.event}`;
    this.ledgerKey = `${cluster}.${data.id}`;
    this.incidentKey = `${cluster}.${instance}`;
    this.expiry = expiry ? Date.parse(expiry) : Infinity;
    this.trace = given["ce-traceparent"]?.slice(3, 35);
    this.attempt = message.info.deliveryCount;
    this.live = (data.mode ?? "live") === "live";
    this.times = { publishedAt: new Date(message.timestamp).toISOString(), acceptedAt: now() };
    if (data.noticedAt) this.times.noticedAt = data.noticedAt;
  }

  get expired() {
    return this.expiry <= Date.now();
  }

  /** Takes over what the incident says. Once withdrawn it stays so: a later read may be an older one. */
  look(incident) {
    if (!incident || !this.live || this.data.onCancel) return; // What undoes a withdrawn incident is not stopped by it.
    const [ours, theirs] = [this.data, incident].map((record) => BigInt(record.generation ?? 0));
    if ((theirs === ours && incident.state === "cancelled") || (theirs > ours && !this.redrive)) this.withdrawn = true;
  }

  /** A result of this action. */
  outcome(result, reason, message) {
    const { id, cluster, kind, instance, generation, mode, certainty, deadline, target } = this.data;
    return {
      actionId: id, cluster, kind, instance, generation, mode, certainty, deadline, provider: target?.provider,
      redrive: this.redrive, attempt: this.attempt, worker: this.worker, times: { ...this.times },
      result, reason, message,
    };
  }

  /** An outcome as it is published: subject, body, headers. */
  message(outcome) {
    const { cluster, kind, instance, result, reason, attempt, times } = outcome;
    const source = `/hollowtrees/${segment(cluster)}/${segment(kind)}`;
    const id = `${this.event}.${result}` + (result === "progress" ? `.${reason}.${attempt}` : "");
    const digest = messageId(source, id);
    const values = {
      specversion: "1.0",
      id,
      source,
      type: "io.hollowtrees.outcome.v1",
      datacontenttype: "application/json",
      dataschema: "https://hollowtrees.io/schemas/v1/outcome",
      subject: instance,
      time: times.endedAt,
      partitionkey: instance,
      traceparent: this.trace && `00-${this.trace}-${digest.slice(0, 16)}-01`,
    };
    const given = headers();
    given.set("Nats-Msg-Id", digest);
    for (const [name, value] of Object.entries(values)) if (value) given.set(`ce-${name}`, attribute(value));
    const subject = ["ht.outcome.v1", token(cluster), token(kind), result, token(instance)].join(".");
    return [subject, JSON.stringify(outcome), given];
  }
}

/** A message nobody could use, whole, and why: subject, body, headers. */
export function deadLetter(message, reason) {
  const { stream, consumer, streamSequence } = message.info;
  const given = headers();
  for (const name of message.headers?.keys() ?? []) given.set(`Ht-Original-${name}`, message.headers.get(name));
  given.set("Ht-Dead-Stream", stream);
  given.set("Ht-Dead-Consumer", consumer);
  given.set("Ht-Dead-Subject", message.subject);
  given.set("Ht-Dead-Sequence", String(streamSequence));
  given.set("Ht-Dead-Class", "undecodable");
  given.set("Ht-Dead-Reason", reason.replace(/\s+/g, " "));
  given.set("Ht-Dead-At", now());
  given.set("Nats-Msg-Id", messageId(`dead/${stream}/${consumer}`, String(streamSequence)));
  const cluster = message.subject.split(".")[3];
  return [`ht.dead.v1.${cluster}.${stream}.${token(consumer)}`, message.data, given];
}

/** Against a server of the test that breaks off, refuses and streams as it is told. */

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { AttributionClient, eventsOf, Problem, type ServerSentEvent } from "../src/index.js";

type Handler = (request: IncomingMessage, response: ServerResponse, call: number) => void;

/** A client of a server that answers as `handler` says, and how often it was asked. */
async function served(
  handler: Handler,
  use: (client: AttributionClient, calls: () => number, url: string) => Promise<void>,
): Promise<void> {
  let calls = 0;
  const server = createServer((request, response) => handler(request, response, (calls += 1)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const retries = { attempts: 4, baseMs: 1, maxMs: 50 };
  try {
    const baseUrl = `http://127.0.0.1:${port}/`;
    await use(new AttributionClient({ baseUrl, retries, timeoutMs: 300 }), () => calls, baseUrl);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const answer = (response: ServerResponse, status: number, body: unknown, headers = {}): void => {
  response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json", ...headers });
  response.end(JSON.stringify(body));
};

test("a GET is asked again until it is answered", async () => {
  await served(
    (_, response, call) => {
      if (call === 1) response.destroy();
      else if (call === 2) answer(response, 503, { title: "away" }, { "Retry-After": "0" });
      else if (call === 3) answer(response, 429, { title: "too many" });
      else answer(response, 200, { models: [] });
    },
    async (client, calls) => {
      assert.deepEqual(await client.get("/api/v1/attribution/models"), { models: [] });
      assert.equal(calls(), 4);
    },
  );
});

test("retries end, and the last failure is told", async () => {
  await served(
    (_, response) => answer(response, 503, { title: "away", detail: "still" }),
    async (client, calls) => {
      await assert.rejects(client.get("/health"), (failure: unknown) => failure instanceof Problem && failure.detail === "still");
      assert.equal(calls(), 4);
    },
  );
});

test("a POST that may have done something is not repeated; one that counts once is", async () => {
  await served(
    (_, response) => response.destroy(),
    async (client, calls) => {
      await assert.rejects(client.post("/api/v1/auth/token"), TypeError);
      assert.equal(calls(), 1);
      await assert.rejects(client.post("/api/v1/data/touchpoints", { body: [{ customer_id: "c", occurred_at: 1_790_000_000 }] }), TypeError);
      assert.equal(calls(), 5);
    },
  );
});

test("what is wrong is not asked twice", async () => {
  await served(
    (_, response) => answer(response, 422, { title: "Invalid input", status: 422, errors: [{ field: "limit", reason: "too large" }] }),
    async (client, calls) => {
      await assert.rejects(client.get("/health"), (failure: unknown) => failure instanceof Problem && failure.errors.length === 1);
      assert.equal(calls(), 1);
    },
  );
});

test("an answer that is no problem is told all the same", async () => {
  await served(
    (_, response) => {
      response.writeHead(404, { "Content-Type": "text/html" });
      response.end("<h1>no</h1>");
    },
    async (client) => {
      await assert.rejects(client.get("/health"), (failure: unknown) => failure instanceof Problem && failure.detail === "<h1>no</h1>");
    },
  );
});

test("a call ends in time, and when its signal says so", async () => {
  await served(
    () => undefined,
    async (client) => {
      await assert.rejects(client.get("/health"), { name: "TimeoutError" });
      await assert.rejects(client.get("/health", { signal: AbortSignal.abort() }), { name: "AbortError" });
    },
  );
});

test("key, path and query are sent as they are", async () => {
  await served(
    (request, response) => answer(response, 200, { url: request.url, key: request.headers["x-api-key"] }),
    async (_client, _calls, baseUrl) => {
      const keyed = new AttributionClient({ baseUrl, apiKey: "a.b" });
      const given = { path: { customer_id: "ä/1" }, query: { limit: 5, attribution_model: "linear" as const } };
      assert.deepEqual(await keyed.get("/api/v1/attribution/results/{customer_id}", given), {
        url: "/api/v1/attribution/results/%C3%A4%2F1?limit=5&attribution_model=linear",
        key: "a.b",
      });
    },
  );
});

test("a stream goes on behind its last event when it breaks", async () => {
  const asked: (string | undefined)[] = [];
  await served(
    (request, response, call) => {
      asked.push(request.headers["last-event-id"] as string | undefined);
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      if (call === 1) {
        response.write(": hello\n\nretry: 5\n\nid: 7\nevent: conversion\ndata: {\"a\":1}\n\nid: 8\ndata: cut o");
        setTimeout(() => response.destroy(), 20);
      } else {
        response.end("id: 8\r\ndata: one\r\ndata: two\r\n\r\n");
      }
    },
    async (client) => {
      const found: ServerSentEvent[] = [];
      for await (const event of client.stream("/api/v1/stream/conversions")) {
        found.push(event);
        if (found.length === 2) break;
      }
      assert.deepEqual(found, [
        { id: "7", event: "conversion", data: '{"a":1}' },
        { id: "8", event: "message", data: "one\ntwo" },
      ]);
      assert.deepEqual(asked.slice(0, 2), [undefined, "7"]);
    },
  );
});

test("events are the same however the bytes are cut", async () => {
  const text = "id: 1\r\ndata: é\r\r\nevent: x\ndata:a\ndata\n\n: c\nid: 2\ndata: end\n\ndata: unfinished";
  const bytes = new TextEncoder().encode(text);
  const whole = await collected([bytes]);
  assert.equal(whole.length, 3);
  for (let cut = 1; cut < bytes.length; cut += 1) {
    assert.deepEqual(await collected([bytes.slice(0, cut), bytes.slice(cut)]), whole, `cut at ${cut}`);
  }
  assert.deepEqual(await collected([...bytes].map((byte) => Uint8Array.of(byte))), whole);
});

async function collected(pieces: Uint8Array[]): Promise<ServerSentEvent[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      pieces.forEach((piece) => controller.enqueue(piece));
      controller.close();
    },
  });
  const found: ServerSentEvent[] = [];
  for await (const event of eventsOf(body)) found.push(event);
  return found;
}

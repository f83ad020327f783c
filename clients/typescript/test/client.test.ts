/** Against the API itself: ATTRIBUTION_API_URL and ATTRIBUTION_API_KEY say where it is. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { AttributionClient, Problem, type Answer, type Operation } from "../src/index.js";

const baseUrl = process.env["ATTRIBUTION_API_URL"] ?? "";
const apiKey = process.env["ATTRIBUTION_API_KEY"] ?? "";
const client = new AttributionClient({ baseUrl, apiKey });

test("a calculation answers with exact credits", async () => {
  const answer = await client.post("/api/v1/attribution/calculate", {
    body: {
      customer_id: "c-42",
      touchpoints: [
        { id: "t-1", timestamp: "2026-11-01T09:00:00Z", channel: "Paid Search" },
        { id: "t-2", timestamp: "2026-11-08T18:30:00Z", channel: "Email" },
        { id: "t-3", timestamp: "2026-11-14T07:45:00Z", channel: "Direct" },
      ],
      conversion: { timestamp: "2026-11-14T08:00:00Z", value: 100 },
      models: ["linear"],
    },
  });
  const micros = answer.results[0]?.credits.map((credit) => credit.value_micros);
  assert.deepEqual(micros, [33_333_334, 33_333_333, 33_333_333]);
});

test("paths, parameters and answers are typed by the description", async () => {
  const report: Answer<Operation<"/api/v1/analytics/channel-performance", "get">> = await client.get(
    "/api/v1/analytics/channel-performance",
    { query: { start_date: "2026-02-01", end_date: "2026-04-01", attribution_model: "linear" } },
  );
  const search = report.channels.find((row) => row.channel === "Paid Search");
  assert.equal(search?.revenue_micros, 100_000_000);
  assert.equal(report.meta.model, "linear");
  // @ts-expect-error no such model
  const wrong = client.get("/api/v1/analytics/channel-performance", { query: { attribution_model: "lst_touch" } });
  await assert.rejects(wrong, (failure: unknown) => failure instanceof Problem && failure.status === 422);
  // @ts-expect-error no such path
  await assert.rejects(client.get("/api/v1/nope"), (failure: unknown) => failure instanceof Problem && failure.status === 404);
  // @ts-expect-error the path's parameter is missing
  await assert.rejects(client.get("/api/v1/attribution/results/{customer_id}"), RangeError);
});

test("pages follow each other to the last one", async () => {
  const found: string[] = [];
  let pages = 0;
  const given = { path: { customer_id: "c-42" }, query: { limit: 1 } };
  for await (const page of client.pages("/api/v1/attribution/results/{customer_id}", given)) {
    pages += 1;
    found.push(...page.results.map((row) => row.model));
  }
  const whole = await client.get("/api/v1/attribution/results/{customer_id}", { path: { customer_id: "c-42" } });
  assert.ok(pages > 2, `${pages} pages`);
  assert.deepEqual(found, whole.results.map((row) => row.model));
});

test("an id with a slash and a space keeps them", async () => {
  const answer = await client.get("/api/v1/analytics/customer-journey/{customer_id}", {
    path: { customer_id: "a b/c?d" },
  });
  assert.equal(answer.customer_id, "a b/c?d");
});

test("events go in, and what is wrong with one is told", async () => {
  const good = { event_id: "ts-1", customer_id: "ts", occurred_at: "2026-11-20T10:00:00Z", channel: "Email" };
  const answer = await client.post("/api/v1/data/touchpoints", { body: [good, { ...good, occurred_at: "never" }] });
  assert.equal(answer.accepted, 1);
  assert.equal(answer.errors[0]?.reason, "bad_timestamp");
});

test("a problem has status, type, fields and the request's id", async () => {
  const call = client.post("/api/v1/data/spend", { body: [] });
  await assert.rejects(call, (failure: unknown) => {
    assert.ok(failure instanceof Problem);
    assert.equal(failure.status, 422);
    assert.equal(failure.type, "urn:realtime-attribution:problem:invalid-input");
    assert.equal(failure.errors[0]?.field, "body");
    assert.match(failure.instance, /^urn:uuid:/);
    return true;
  });
  const nobody = new AttributionClient({ baseUrl, apiKey: "0123456789abcdef.wrong" });
  await assert.rejects(nobody.get("/api/v1/auth/me"), (failure: unknown) => failure instanceof Problem && failure.status === 401);
});

test("a key is made and revoked, and a token stands for its key", async () => {
  const made = await client.post("/api/v1/auth/keys", { body: { role: "viewer", label: "typescript" } });
  const viewer = new AttributionClient({ baseUrl, apiKey: made.key });
  const { access_token } = await viewer.post("/api/v1/auth/token");
  assert.equal((await new AttributionClient({ baseUrl, token: access_token }).get("/api/v1/auth/me")).role, "viewer");
  const gone = await client.delete("/api/v1/auth/keys/{key_id}", { path: { key_id: made.shown.id } });
  assert.equal(gone, undefined);
  await assert.rejects(viewer.get("/api/v1/auth/me"), (failure: unknown) => failure instanceof Problem && failure.status === 401);
});

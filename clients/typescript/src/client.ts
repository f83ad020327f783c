/** A thin wrapper of `fetch`: typed paths, a credential, time limits, retries, pages and streams of events. */

import { eventsOf, type ServerSentEvent } from "./events.js";
import { Problem } from "./problem.js";
import { mayPass, RETRIES, type Retries, sleep, waitMs } from "./retry.js";
import type { Answer, Method, Operation, PagedPath, PathOf, Rest } from "./types.js";

export interface Settings {
  /** Where the API is, for example `https://attribution.example.org`. */
  baseUrl: string;
  /** `id.secret`. */
  apiKey?: string;
  /** A JSON Web Token, instead of a key. */
  token?: string;
  /** An answer must have begun and ended within this time. */
  timeoutMs?: number;
  retries?: Partial<Retries>;
  /** Another `fetch`, for tests or proxies. */
  fetch?: typeof globalThis.fetch;
}

interface Given {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Repeating a POST below these is harmless: events count once by their id, calculations store nothing. */
const IDEMPOTENT_POSTS = ["/api/v1/data/", "/api/v1/attribution/"];

export class AttributionClient {
  readonly #settings: Settings;
  readonly #retries: Retries;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#retries = { ...RETRIES, ...settings.retries };
  }

  get<P extends PathOf<"get">>(path: P, ...[options]: Rest<Operation<P, "get">>): Promise<Answer<Operation<P, "get">>> {
    return this.#json("get", path, options);
  }

  post<P extends PathOf<"post">>(
    path: P,
    ...[options]: Rest<Operation<P, "post">>
  ): Promise<Answer<Operation<P, "post">>> {
    return this.#json("post", path, options);
  }

  delete<P extends PathOf<"delete">>(
    path: P,
    ...[options]: Rest<Operation<P, "delete">>
  ): Promise<Answer<Operation<P, "delete">>> {
    return this.#json("delete", path, options);
  }

  /** Every page from the first (or from `query.cursor`) to the last. */
  async *pages<P extends PagedPath>(
    path: P,
    ...[options]: Rest<Operation<P, "get">>
  ): AsyncGenerator<Answer<Operation<P, "get">>> {
    const given = (options ?? {}) as Given;
    let cursor = given.query?.["cursor"];
    do {
      const query = { ...given.query, cursor };
      const page: Answer<Operation<P, "get">> = await this.#json("get", path, { ...given, query });
      yield page;
      cursor = (page as { next_cursor: string | null }).next_cursor;
    } while (cursor !== null);
  }

  /** Events of a stream, without end: after a break it goes on behind the last event that it gave. */
  async *stream(
    path: string,
    given: { query?: Record<string, unknown>; lastEventId?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ServerSentEvent> {
    let lastId = given.lastEventId ?? "";
    let pauseMs = 0;
    for (let failures = 0; ; ) {
      try {
        const headers = { Accept: "text/event-stream", ...(lastId && { "Last-Event-ID": lastId }) };
        const response = await this.#once("get", path, { ...given, headers }, given.signal);
        if (response.body === null) {
          throw new TypeError("the answer has no body");
        }
        for await (const event of eventsOf(response.body, (ms) => (pauseMs = ms))) {
          failures = 0;
          lastId = event.id || lastId;
          yield event;
        }
        await sleep(pauseMs + waitMs(0, undefined, this.#retries), given.signal);
      } catch (failure) {
        given.signal?.throwIfAborted();
        failures += 1;
        if (!mayPass(failure, true) || failures >= this.#retries.attempts) {
          throw failure;
        }
        await sleep(pauseMs + waitMs(failures - 1, failure, this.#retries), given.signal);
      }
    }
  }

  async #json<A>(method: Method, path: string, options: unknown): Promise<A> {
    const given = (options ?? {}) as Given;
    const isIdempotent = method !== "post" || IDEMPOTENT_POSTS.some((prefix) => path.startsWith(prefix));
    for (let attempt = 0; ; attempt += 1) {
      const limit = AbortSignal.timeout(this.#settings.timeoutMs ?? 30_000);
      const signal = given.signal ? AbortSignal.any([given.signal, limit]) : limit;
      try {
        const response = await this.#once(method, path, given, signal);
        const text = await response.text();
        return (text ? JSON.parse(text) : undefined) as A;
      } catch (failure) {
        if (attempt + 1 >= this.#retries.attempts || !mayPass(failure, isIdempotent)) {
          throw failure;
        }
        await sleep(waitMs(attempt, failure, this.#retries), given.signal);
      }
    }
  }

  /** One request. Throws a `Problem` for every answer but a good one. */
  async #once(method: Method, path: string, given: Given, signal: AbortSignal | undefined): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json", ...this.#credential(), ...given.headers };
    const request: RequestInit = { method: method.toUpperCase(), headers, ...(signal && { signal }) };
    if (given.body !== undefined) {
      headers["Content-Type"] = "application/json";
      request.body = JSON.stringify(given.body);
    }
    const response = await (this.#settings.fetch ?? fetch)(this.#url(path, given), request);
    if (!response.ok) {
      throw await Problem.of(response);
    }
    return response;
  }

  #credential(): Record<string, string> {
    const { apiKey, token } = this.#settings;
    return token ? { Authorization: `Bearer ${token}` } : apiKey ? { "X-API-Key": apiKey } : {};
  }

  #url(path: string, given: Given): string {
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = given.path?.[name];
      if (value === undefined || value === "") {
        throw new RangeError(`${path}: give path.${name}`);
      }
      return encodeURIComponent(String(value));
    });
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(given.query ?? {})) {
      if (value !== undefined && value !== null) {
        for (const one of Array.isArray(value) ? value : [value]) {
          query.append(name, String(one));
        }
      }
    }
    return `${this.#settings.baseUrl.replace(/\/+$/, "")}${filled}${query.size ? `?${query}` : ""}`;
  }
}

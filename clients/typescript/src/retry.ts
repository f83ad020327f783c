/** When to ask again, and when. */

import { Problem } from "./problem.js";

export interface Retries {
  /** Calls in all, the first one included. */
  attempts: number;
  /** Upper bound of the first wait in ms; it doubles with each further one. */
  baseMs: number;
  /** No wait is longer, whatever the server says. */
  maxMs: number;
}

export const RETRIES: Retries = { attempts: 4, baseMs: 200, maxMs: 10_000 };

const AGAIN = new Set([429, 502, 503, 504]);

/** Whether a failure may pass by itself. What never got an answer is asked again only if repeating it is harmless. */
export function mayPass(failure: unknown, isIdempotent: boolean): boolean {
  if (failure instanceof Problem) {
    return failure.status === 429 || (isIdempotent && AGAIN.has(failure.status));
  }
  return isIdempotent && failure instanceof TypeError; // what fetch throws for a network failure
}

/** A wait in ms, "full jitter": anything up to the bound, so that clients that failed together come back apart. */
export function waitMs(attempt: number, failure: unknown, retries: Retries, random: () => number = Math.random): number {
  const jittered = random() * Math.min(retries.maxMs, retries.baseMs * 2 ** attempt);
  const wanted = failure instanceof Problem && failure.retryAfterS !== undefined ? failure.retryAfterS * 1_000 : 0;
  return Math.min(retries.maxMs, wanted + jittered);
}

export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const ended = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", ended);
      resolve();
    }, ms);
    signal?.addEventListener("abort", ended, { once: true });
  });
}

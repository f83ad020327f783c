/** Failures that the API tells about, as problems of RFC 9457. */

import type { components } from "./schema.js";

export type ProblemBody = components["schemas"]["ProblemBody"];

/** The API refused or failed. `errors` names each wrong field, its value and the way out. */
export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    readonly status: number,
    readonly body: Partial<ProblemBody>,
    /** Seconds after which the API wants to be asked again. */
    readonly retryAfterS: number | undefined,
  ) {
    super(`${status} ${body.title ?? ""}: ${body.detail ?? "no detail"}`);
  }

  get type(): string {
    return this.body.type ?? "about:blank";
  }

  get detail(): string {
    return this.body.detail ?? "";
  }

  get errors(): NonNullable<ProblemBody["errors"]> {
    return this.body.errors ?? [];
  }

  /** Id of the request, which the server's log names, too. */
  get instance(): string {
    return this.body.instance ?? "";
  }

  static async of(response: Response): Promise<Problem> {
    const text = await response.text();
    const after = Number(response.headers.get("retry-after") ?? "");
    let body: Partial<ProblemBody>;
    try {
      body = JSON.parse(text) as Partial<ProblemBody>;
    } catch {
      body = { title: response.statusText, detail: text.slice(0, 200) }; // of a proxy, not of the API
    }
    return new Problem(response.status, body, response.headers.has("retry-after") && after >= 0 ? after : undefined);
  }
}

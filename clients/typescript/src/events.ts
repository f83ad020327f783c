/** Reader of server-sent events (WHATWG HTML, 9.2), for `fetch`, which can send a key where `EventSource` cannot. */

export interface ServerSentEvent {
  /** Position to resume from; empty when the server gave none. */
  id: string;
  event: string;
  data: string;
}

/** Events of one answer. `onRetry` is told how many ms the server wants to pass before the next connection. */
export async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  onRetry: (ms: number) => void = () => undefined,
): AsyncGenerator<ServerSentEvent> {
  let id = "";
  let event = "";
  let data: string[] = [];
  for await (const line of linesOf(body)) {
    if (line === "") {
      if (data.length > 0) {
        yield { id, event: event || "message", data: data.join("\n") };
      }
      event = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") {
      data.push(value);
    } else if (field === "event") {
      event = value;
    } else if (field === "id" && !value.includes("\0")) {
      id = value;
    } else if (field === "retry" && /^\d+$/.test(value)) {
      onRetry(Number(value));
    }
  }
}

/** Lines that end with LF, CR LF or CR. An unfinished last one is dropped, as the standard wants it. */
async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) {
        return;
      }
      rest += decoder.decode(value, { stream: true });
      // a CR at the end may be the first half of CR LF
      const parts = rest.split(/\r\n|\n|\r(?!$)/);
      rest = parts.pop() ?? "";
      yield* parts;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

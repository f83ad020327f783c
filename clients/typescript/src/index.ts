export { AttributionClient, type Settings } from "./client.js";
export { eventsOf, type ServerSentEvent } from "./events.js";
export { Problem, type ProblemBody } from "./problem.js";
export { RETRIES, type Retries } from "./retry.js";
export type { components, operations, paths } from "./schema.js";
export type { Answer, Operation, Options, PagedPath, PathOf } from "./types.js";

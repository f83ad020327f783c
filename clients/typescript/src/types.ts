/** Types of calls, read off the description: which paths there are, what they take and what they answer. */

import type { paths } from "./schema.js";

export type Method = "get" | "post" | "delete";

/** The operation of a method at a path; `never` where there is none. */
export type Operation<P extends keyof paths, M extends Method> = paths[P] extends Record<M, infer O> ? O : never;

/** Paths that answer to a method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: [Exclude<Operation<P, M>, undefined>] extends [never] ? never : P;
}[keyof paths];

type Parameters<O> = O extends { parameters: infer X } ? X : never;
type Json<T> = T extends { "application/json": infer B } ? B : never;
type Given<O, K extends "path" | "query"> =
  Parameters<O> extends { [key in K]: infer X }
    ? { [key in K]: X }
    : Parameters<O> extends { [key in K]?: infer X }
      ? { [key in K]?: X }
      : unknown;
type Body<O> = O extends { requestBody: { content: infer C } }
  ? { body: Json<C> }
  : O extends { requestBody?: { content: infer C } }
    ? { body?: Json<C> }
    : unknown;

/** What a call is given besides its path. `signal` ends it early. */
export type Options<O> = Given<O, "path"> &
  Given<O, "query"> &
  Body<O> & { signal?: AbortSignal; headers?: Record<string, string> };

type Good = 200 | 201 | 202 | 204 | 207;
/** What a call answers when it succeeds; `undefined` where the answer has no body. */
export type Answer<O> = O extends { responses: infer R }
  ? { [S in keyof R & Good]: Content<R[S]> }[keyof R & Good]
  : never;
type Content<R> = R extends { content: { "application/json": infer B } } ? B : undefined;

/** Paths whose answer comes in pages. */
export type PagedPath = {
  [P in PathOf<"get">]: Answer<Operation<P, "get">> extends { next_cursor: string | null } ? P : never;
}[PathOf<"get">];

/** The options may be left out where none is required. */
export type Rest<O> = {} extends Options<O> ? [options?: Options<O>] : [options: Options<O>];

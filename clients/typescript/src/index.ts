/** Comptoir's HTTP API, every operation a typed method. */

export * from "./client.js";
export type { Answer, Conditional, Keyed, Options } from "./connection.js";
export { CallFailed, Problem, Unreachable, type Place } from "./failures.js";
export type * as models from "./models.js";
export { every, type Page } from "./paging.js";
export { API_VERSION } from "./version.js";

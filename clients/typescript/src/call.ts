/** One call as it goes over the wire, before anything is sent. */

/** A parameter of a query; undefined leaves it out. */
export type Value = string | number | boolean | readonly string[] | undefined;

/** What a generated method asks for. */
export interface Wanted {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly inPath?: Readonly<Record<string, string>>;
  readonly inQuery?: Readonly<Record<string, Value>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly keyed?: boolean;
  readonly idempotencyKey?: string | undefined;
  readonly ifMatch?: string | undefined;
}

/** The path with its parameters, and the query. Throws RangeError when a parameter would lead to another path. */
export function address(wanted: Wanted): string {
  let path = wanted.path;
  for (const [name, value] of Object.entries(wanted.inPath ?? {})) {
    if (["", ".", ".."].includes(value)) throw new RangeError(`${name} must not be ${JSON.stringify(value)}`);
    path = path.replace(`{${name}}`, () => encodeURIComponent(value));
  }
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(wanted.inQuery ?? {})) {
    for (const word of words(value)) query.append(name, word);
  }
  return query.size > 0 ? `${path}?${query}` : path;
}

/** Of the call alone; without a key given, a new key each time that this is asked. */
export function headersOf(wanted: Wanted): Record<string, string> {
  const found: Record<string, string> = {};
  if (wanted.body !== undefined && wanted.contentType) found["Content-Type"] = wanted.contentType;
  if (wanted.keyed) found["Idempotency-Key"] = wanted.idempotencyKey ?? crypto.randomUUID();
  if (wanted.ifMatch !== undefined) found["If-Match"] = wanted.ifMatch;
  return found;
}

/** The body's JSON, if there is one. */
export function bodyOf(wanted: Wanted): { body?: string } {
  return wanted.body === undefined ? {} : { body: JSON.stringify(wanted.body) };
}

/** Whether doing it twice has the effect of doing it once. */
export function isRepeatable(wanted: Wanted): boolean {
  return wanted.keyed === true || ["GET", "PUT", "DELETE"].includes(wanted.method);
}

function words(value: Value): readonly string[] {
  if (value === undefined) return [];
  return typeof value === "object" ? value : [String(value)];
}

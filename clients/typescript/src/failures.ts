/** How a call fails: with a problem that the API names, or without an answer. */

/** Any failure of a call, after the repetition that it was worth. */
export class CallFailed extends Error {
  override name = "CallFailed";
}

/** There was no answer: no connection, or none in time. What the call was to do may have been done. */
export class Unreachable extends CallFailed {
  override name = "Unreachable";
}

/** What is wrong with one place of a request: a JSON Pointer into the body, or a parameter behind a slash. */
export interface Place {
  readonly pointer: string;
  readonly message: string;
}

/**
 * The API refused: RFC 9457, with a `reason` that programs may rely on.
 *
 * `reason` is empty when something before the API answered, like a proxy.
 */
export class Problem extends CallFailed {
  override name = "Problem";
  readonly reason: string;
  readonly title: string;
  readonly detail: string;
  readonly requestId: string;
  readonly errors: readonly Place[];
  readonly metadata: Readonly<Record<string, string>>;

  /** Reads `content` if it is a problem; `retryAfter` is in seconds. */
  constructor(
    readonly status: number,
    content: string,
    readonly retryAfter: number | undefined = undefined,
  ) {
    const said = entries(parsed(content));
    const [reason, title, detail] = [text(said["reason"]), text(said["title"]), text(said["detail"])];
    super(`${status} ${reason || "without a reason"}: ${detail || title}`);
    this.reason = reason;
    this.title = title;
    this.detail = detail;
    this.requestId = text(said["request_id"]);
    this.errors = places(said["errors"]);
    const metadata = Object.entries(entries(said["metadata"]));
    this.metadata = Object.fromEntries(metadata.map(([name, value]) => [name, text(value)]));
  }
}

function parsed(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

function entries(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function places(value: unknown): Place[] {
  const found = Array.isArray(value) ? value.map(entries) : [];
  return found.map((each) => ({ pointer: text(each["pointer"]), message: text(each["message"]) }));
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

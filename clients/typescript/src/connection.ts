/** Sends calls, and repeats one once where that cannot do harm. It knows no operation. */

import { address, bodyOf, headersOf, isRepeatable, type Wanted } from "./call.js";
import { Problem, Unreachable } from "./failures.js";
import { API_VERSION } from "./version.js";

const MILLISECONDS = 30_000;
const PAUSE = 300;
const LONGEST_PAUSE = 5_000;
const IN_FLIGHT = "IDEMPOTENCY_KEY_IN_FLIGHT";

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly content: Uint8Array;
}

/** Of calls that honour an Idempotency-Key. Without one given, each call makes one up. */
export interface Keyed {
  idempotencyKey?: string | undefined;
}

/** Of calls that honour If-Match. */
export interface Conditional {
  /** The ETag of what the caller has read; refused with 412 when there is a newer one. */
  ifMatch?: string | undefined;
}

/** How to call. */
export interface Options {
  /** Of the gateway, like "https://book.example". */
  url: string;
  /** An access token or an API key; without, the calls are anonymous. */
  token?: string | undefined;
  /** Until an answer is there as a whole. */
  milliseconds?: number | undefined;
  /** The dated version of the API; the types here are of the default one. */
  version?: string | undefined;
  /** Is shown every answer: its rate limits, its ETag, its request id. */
  onAnswer?: ((answer: Answer) => void) | undefined;
  /** Waits so many milliseconds before a repetition. */
  sleep?: ((milliseconds: number) => Promise<void>) | undefined;
  /** Carries the calls. */
  fetch?: typeof fetch | undefined;
}

/** Calls one gateway, as one caller. */
export class Connection {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = { ...options, url: options.url.replace(/\/+$/, "") };
  }

  /** The same gateway as another caller. */
  withToken(token: string | undefined): this {
    const same = this.constructor as new (options: Options) => this;
    return new same({ ...this.#options, token });
  }

  /**
   * The success of a call, which was repeated once if its first failure may pass.
   *
   * Throws `Problem` when the API refused, `Unreachable` when there was no answer, and `RangeError` when a parameter
   * of the path leads nowhere.
   */
  async send(wanted: Wanted): Promise<Answer> {
    const target = this.#options.url + address(wanted);
    const request = { ...this.#request(), method: wanted.method, ...bodyOf(wanted) };
    const headers = { ...this.#headers(), ...headersOf(wanted) };
    let answer: Answer | undefined;
    try {
      answer = await this.#try(target, { ...request, headers });
    } catch (error) {
      if (!isRepeatable(wanted) || !(error instanceof Unreachable)) throw error;
    }
    const pause = answer === undefined ? PAUSE : pauseAfter(wanted, answer);
    if (pause !== undefined) {
      await (this.#options.sleep ?? sleep)(pause);
      answer = await this.#try(target, { ...request, headers });
    }
    if (answer === undefined) throw new Unreachable(`${wanted.method} ${wanted.path}`);
    if (answer.status < 200 || answer.status > 299) {
      throw new Problem(answer.status, decoded(answer), retryAfter(answer));
    }
    return answer;
  }

  protected async sendForJson<Body>(wanted: Wanted): Promise<Body> {
    return JSON.parse(decoded(await this.send(wanted))) as Body;
  }

  protected async sendForText(wanted: Wanted): Promise<string> {
    return decoded(await this.send(wanted));
  }

  protected async sendForBytes(wanted: Wanted): Promise<Uint8Array> {
    return (await this.send(wanted)).content;
  }

  protected async sendForNothing(wanted: Wanted): Promise<void> {
    await this.send(wanted);
  }

  #request(): RequestInit {
    return { redirect: "manual", credentials: "omit" };
  }

  #headers(): Record<string, string> {
    const { token, version } = this.#options;
    const headers = { "Comptoir-Version": version ?? API_VERSION };
    return token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
  }

  async #try(target: string, request: RequestInit): Promise<Answer> {
    const send = this.#options.fetch ?? fetch;
    let answer: Answer;
    try {
      const signal = AbortSignal.timeout(this.#options.milliseconds ?? MILLISECONDS);
      const response = await send(target, { ...request, signal });
      const content = new Uint8Array(await response.arrayBuffer());
      answer = { status: response.status, headers: response.headers, content };
    } catch (error) {
      throw new Unreachable(`${request.method} ${new URL(target).origin}`, { cause: error });
    }
    this.#options.onAnswer?.(answer);
    return answer;
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function decoded(answer: Answer): string {
  return new TextDecoder().decode(answer.content);
}

/** Seconds, if the answer says so. */
function retryAfter(answer: Answer): number | undefined {
  const said = answer.headers.get("retry-after") ?? "";
  return /^\d+$/.test(said) ? Number(said) : undefined;
}

/** Milliseconds until the repetition that an answer is worth, undefined when it is worth none. */
function pauseAfter(wanted: Wanted, answer: Answer): number | undefined {
  const seconds = retryAfter(answer);
  const pause = seconds === undefined ? PAUSE : seconds * 1000;
  if (pause > LONGEST_PAUSE) return undefined;
  switch (answer.status) {
    case 429: // nothing was begun
      return pause;
    case 409:
      return new Problem(409, decoded(answer)).reason === IN_FLIGHT ? pause : undefined;
    case 502:
    case 503:
    case 504:
      return isRepeatable(wanted) ? pause : undefined;
  }
  return undefined;
}

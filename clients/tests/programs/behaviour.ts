/** Does the calls that a test names, and prints what came of each. */

import { Comptoir, Problem, Unreachable } from "comptoir-client";

declare const process: { env: Record<string, string | undefined> };

interface Wish {
  name: string;
  call: unknown;
}

type Method = (call: unknown) => Promise<unknown>;

const pauses: number[] = [];
const etags: (string | null)[] = [];
const api = new Comptoir({
  url: process.env["URL"] ?? "",
  token: process.env["TOKEN"],
  sleep: async (milliseconds) => {
    pauses.push(milliseconds);
  },
  onAnswer: (answer) => {
    etags.push(answer.headers.get("etag"));
  },
});

async function outcome({ name, call }: Wish): Promise<unknown> {
  const method = (api as unknown as Record<string, Method | undefined>)[name];
  if (method === undefined) throw new Error(`there is no ${name}`);
  try {
    const came = await method.call(api, call);
    return { came: came instanceof Uint8Array ? new TextDecoder().decode(came) : (came ?? null) };
  } catch (error) {
    if (error instanceof Unreachable) return { unreachable: true };
    if (error instanceof RangeError) return { refused: true };
    if (!(error instanceof Problem)) throw error;
    const { status, reason, detail, requestId: request_id, metadata } = error;
    const errors = error.errors.map((each) => [each.pointer, each.message]);
    const retry_after = error.retryAfter ?? null;
    return { problem: { status, reason, detail, request_id, metadata, errors, retry_after } };
  }
}

const outcomes: unknown[] = [];
for (const wish of JSON.parse(process.env["CALLS"] ?? "[]") as Wish[]) outcomes.push(await outcome(wish));
console.log(JSON.stringify({ outcomes, pauses, etags }));

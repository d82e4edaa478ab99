/** One declaration a route: what it takes, what it answers, who may call it. Checks and the API's description come from it. */
import { z } from 'zod';
import type { Access } from './access.ts';
import type { PartChange } from './audit-log.ts';
import { actionAnswer } from './schemas.ts';

interface Call<Query, Body> {
  readonly query: Query;
  readonly body: Body;
  /** Who calls, for records of what was done. */
  readonly who: string;
  /** Aborts when the time for an answer is over or the daemon stops. */
  readonly signal: AbortSignal;
}

/** A route as the server runs it: its input is checked before `handle`, its answer after it. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly summary: string;
  readonly access: Access;
  readonly query: z.ZodType | undefined;
  readonly body: z.ZodType | undefined;
  readonly answer: z.ZodType;
  /** Which calls of an action are recorded: each, or those that fail, where a program calls every second. */
  readonly audit: 'each' | 'refused';
  /** Other statuses that come with the same form of answer. */
  readonly alsoStatus: readonly number[];
  handle(call: Call<unknown, unknown>): Promise<{ readonly status: number; readonly body: unknown }>;
}

const NOTHING = z.strictObject({});

/** A route that tells something. */
export function reads<Q extends z.ZodType, A extends z.ZodType>(route: {
  readonly url: string;
  readonly summary: string;
  readonly access?: 'open' | 'read';
  readonly query?: Q;
  readonly answer: A;
  readonly handle: (call: Call<z.output<Q>, undefined>) => Promise<z.input<A>> | z.input<A>;
}): Route {
  const { url, summary, access = 'read', query, answer, handle } = route;
  return {
    method: 'GET',
    url,
    summary,
    access,
    query: query ?? NOTHING,
    body: undefined,
    answer,
    audit: 'each',
    alsoStatus: [],
    handle: async (call) => ({
      status: 200,
      body: await handle({ ...call, query: call.query as z.output<Q>, body: undefined }),
    }),
  };
}

/** A probe: 200 or 503, the same form of answer for both. */
export function probes<A extends z.ZodType>(route: {
  readonly url: string;
  readonly summary: string;
  readonly answer: A;
  readonly handle: () => z.input<A> & { readonly ok: boolean };
}): Route {
  const { url, summary, answer, handle } = route;
  return {
    method: 'GET',
    url,
    summary,
    access: 'open',
    query: undefined,
    body: undefined,
    answer,
    audit: 'each',
    alsoStatus: [503],
    handle: async () => {
      const body = handle();
      return { status: body.ok ? 200 : 503, body };
    },
  };
}

interface ActionResult {
  readonly changes: readonly PartChange[];
  readonly counts?: Readonly<Record<string, number>>;
}

/** A route that changes something; each call is recorded, unless it says that only those are which fail. */
export function acts<B extends z.ZodType>(route: {
  readonly url: string;
  readonly summary: string;
  readonly body: B;
  readonly audit?: 'each' | 'refused';
  readonly handle: (call: Call<undefined, z.output<B>>) => Promise<ActionResult>;
}): Route {
  const { url, summary, body, audit = 'each', handle } = route;
  return {
    method: 'POST',
    url,
    summary,
    access: 'act',
    query: undefined,
    body,
    answer: actionAnswer,
    audit,
    alsoStatus: [],
    handle: async (call) => ({
      status: 200,
      body: await handle({ ...call, query: undefined, body: call.body as z.output<B> }),
    }),
  };
}

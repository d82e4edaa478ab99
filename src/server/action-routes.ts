/** What operators can do. Every call needs the token and is recorded. */
import { z } from 'zod';
import type { Operator } from '../wiring/operator.ts';
import type { Route } from './route.ts';
import { acts } from './route.ts';

const source = z.string().max(64).optional().describe('may be left out when there is one');
const table = z.string().min(1).max(200);
const filter = { target: z.string().max(64).optional(), table: table.optional() };

const MOST_MEASURES = 500;
const measureName = {
  metric: z.string().min(1).max(64).describe('a metric of `alerts.metrics`'),
  labels: z
    .record(z.string().max(64), z.string().max(200))
    .default({})
    .describe('a value for each of its labels'),
};

const LONGEST_SILENCE_MS = 30 * 24 * 60 * 60 * 1_000;

const pauseBody = z.strictObject({
  role: z.enum(['all', 'apply', 'capture']).default('all'),
  source: z.string().max(64).optional().describe('one capture only'),
});

export function actionRoutes(operator: Operator): Route[] {
  return [
    ...flowRoutes(operator),
    ...parkedRoutes(operator),
    ...tableRoutes(operator),
    ...silenceRoutes(operator),
    ...measureRoutes(operator),
    acts({
      url: '/api/log-level',
      summary: 'Change how much this process logs, until it ends.',
      body: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']) }),
      handle: async ({ body }) => await Promise.resolve(operator.setLogLevel(body.level)),
    }),
  ];
}

/** Whether rows flow, and from where. */
function flowRoutes(operator: Operator): Route[] {
  return [
    acts({
      url: '/api/pause',
      summary:
        'Hold applying, capturing or both, in every process of the pipeline, until somebody resumes; a restart does not end it.',
      body: pauseBody,
      handle: async ({ body, who, signal }) => await operator.setPause(body, true, who, signal),
    }),
    acts({
      url: '/api/resume',
      summary: 'Go on from the place that was held; parts that wait for their next try make it now.',
      body: pauseBody,
      handle: async ({ body, who, signal }) => await operator.setPause(body, false, who, signal),
    }),
    acts({
      url: '/api/replay',
      summary: 'Read a source again from an earlier position; targets show the past meanwhile.',
      body: z.strictObject({
        source,
        from: z
          .string()
          .min(1)
          .max(100_000)
          .describe('`file:offset`, `gtid:SET`, or a time (the last position saved before it)'),
        force: z.boolean().default(false).describe('also where it reads acknowledged statements once more'),
      }),
      handle: async ({ body: { source, ...how }, who, signal }) =>
        await operator.replay(source, { ...how, by: who }, signal),
    }),
  ];
}

function parkedRoutes(operator: Operator): Route[] {
  return [
    acts({
      url: '/api/parked/retry',
      summary: 'Try parked rows now.',
      body: z.strictObject(filter),
      handle: async ({ body, signal }) => await operator.retryParked(body, signal),
    }),
    acts({
      url: '/api/parked/drop',
      summary: 'Give parked rows up for good: the targets will lack them.',
      body: z.strictObject({
        ...filter,
        expect: z.int().min(1).describe('how many there are; with another number nothing is dropped'),
      }),
      handle: async ({ body: { expect, ...which }, signal }) =>
        await operator.dropParked(which, expect, signal),
    }),
  ];
}

/** Copies of tables, and statements that tables wait for. */
function tableRoutes(operator: Operator): Route[] {
  return [
    acts({
      url: '/api/snapshot',
      summary: 'Copy a table (again), or pause, resume or cancel copies.',
      body: z
        .strictObject({
          action: z.enum(['add', 'pause', 'resume', 'cancel']),
          source,
          table: table.nullable().describe('`schema.table`; null for every table'),
        })
        .refine(({ action, table }) => action !== 'add' || table !== null, {
          message: 'add needs a table',
        }),
      handle: async ({ body, who, signal }) =>
        await operator.snapshot(body.action, body.source, body.table, who, signal),
    }),
    acts({
      url: '/api/ddl/ack',
      summary: 'Let capture pass one statement: its change is made at the targets.',
      body: z.strictObject({
        source,
        at: z.string().min(1).max(300).describe('`file:position` as the error names it'),
        ahead: z.boolean().default(false).describe('no table waits for it: the whole capture stopped there'),
        force: z.boolean().default(false).describe('also where a route does not fit the table any more'),
        wait: z
          .boolean()
          .default(true)
          .describe('false where others than rowferry consume the topic: then no applier is waited for'),
      }),
      handle: async ({ body: { source, at, wait, ...how }, who, signal }) =>
        await operator.acknowledge(source, { statement: at, ...how, waits: wait, by: who }, signal),
    }),
  ];
}

function silenceRoutes(operator: Operator): Route[] {
  return [
    acts({
      url: '/api/alerts/silence',
      summary: 'Keep alerts of this process quiet for a while; `counts.id` ends it early.',
      body: z.strictObject({
        rule: z.string().min(1).max(64).nullable().describe('null for every rule'),
        labels: z
          .record(z.string().max(64), z.string().max(300))
          .default({})
          .describe('labels that an alert must carry'),
        forMs: z.int().min(1_000).max(LONGEST_SILENCE_MS).describe('how long, milliseconds; at most 30 days'),
        reason: z.string().min(1).max(300),
      }),
      handle: async ({ body }) => await Promise.resolve(operator.silenceAlerts(body)),
    }),
    acts({
      url: '/api/alerts/unsilence',
      summary: 'End a silence early.',
      body: z.strictObject({ id: z.int().min(1) }),
      handle: async ({ body: { id } }) => await Promise.resolve(operator.endSilence(id)),
    }),
  ];
}

/** What other programs report. */
function measureRoutes(operator: Operator): Route[] {
  return [
    acts({
      url: '/api/measures',
      summary:
        'Report what another program has measured, for the rules that ask for it; all of it counts, or none.',
      body: z.strictObject({
        measures: z
          .array(
            z.strictObject({
              ...measureName,
              value: z
                .union([z.number(), z.string().max(64)])
                .describe(
                  'a number in the metric’s own unit (seconds, parts of one), or text such as `0.2 %`',
                ),
            }),
          )
          .min(1)
          .max(MOST_MEASURES),
      }),
      audit: 'refused',
      handle: async ({ body, who }) => await Promise.resolve(operator.report(body.measures, who)),
    }),
    acts({
      url: '/api/measures/withdraw',
      summary: 'Forget what was reported for these sets of labels: their alerts are resolved.',
      body: z.strictObject({
        measures: z.array(z.strictObject(measureName)).min(1).max(MOST_MEASURES),
      }),
      handle: async ({ body }) => await Promise.resolve(operator.withdraw(body.measures)),
    }),
  ];
}

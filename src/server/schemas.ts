/**
 * The forms of answers. They are checked before they leave and what they do not name is left out, so that a field which is
 * added further down reaches nobody unasked; the API's description comes from them.
 */
import { z } from 'zod';

const ms = () => z.number().describe('milliseconds since 1970');
const lag = () => z.number().nullable().describe('milliseconds; null while unknown');

export const errorAnswer = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().nullable(),
});

export const healthAnswer = z.object({
  ok: z.boolean(),
  parts: z.array(
    z.object({ part: z.string(), state: z.string(), ready: z.boolean(), reason: z.string().nullable() }),
  ),
});

const pause = z.object({ by: z.string(), timeMs: ms() }).nullable().describe('null while it runs');

const copy = z.object({
  table: z.string(),
  id: z.number(),
  state: z.string(),
  paused: z.boolean(),
  rows: z.number(),
  estimate: z.number(),
  startedMs: ms().nullable(),
  finishedMs: ms().nullable(),
  error: z.string().nullable(),
});

const rate = z.object({ elapsedMs: z.number(), rows: z.number() }).nullable();

const capture = z.object({
  source: z.string(),
  state: z.string(),
  sinceMs: ms(),
  pause,
  position: z.string().nullable(),
  savedMs: ms().nullable(),
  readUntilMs: ms().nullable(),
  lagMs: lag().describe('how far Kafka is behind the source; null while unknown and for one that stands by'),
  events: z.number(),
  bytes: z.number(),
  queueBytes: z.number(),
  error: z.string().nullable(),
  errorCode: z.string().nullable(),
  nextTryMs: ms().nullable(),
  copies: z.array(copy),
  copyWaits: z.string().nullable(),
  copyThrottle: z
    .object({ share: z.number(), causes: z.array(z.string()) })
    .nullable()
    .describe('part of its full speed that the copy may have, and what holds it back'),
  copyRate: rate,
  held: z
    .array(
      z.object({
        table: z.string(),
        statement: z.string(),
        why: z.string(),
        sinceMs: ms(),
        acknowledged: z
          .object({ timeMs: ms(), by: z.string() })
          .nullable()
          .describe('null while the operator is waited for'),
        waits: z.string().nullable().describe('what it waits for since it was acknowledged'),
      }),
    )
    .describe('tables that wait for an operator since a statement'),
  catchesUp: z.boolean().describe('tables that were held catch up; the others wait meanwhile'),
  binlogHeadroomMs: z.number().nullable().describe('until the source may delete what is needed'),
  binlogHeadroomBytes: z.number().nullable(),
  binlogBehindBytes: z.number().nullable(),
  binlogOlderBytes: z.number().nullable(),
});

const partition = z.object({
  topic: z.string(),
  partition: z.number(),
  state: z.string(),
  sinceMs: ms(),
  progressedMs: ms().nullable(),
  writing: z.boolean(),
  owner: z.number().nullable(),
  next: z.number().nullable(),
  rows: z.number(),
  moves: z.number(),
  batches: z.number(),
  parked: z.number(),
  oldestParkedMs: ms().nullable(),
  queueBytes: z.number(),
  lagMs: lag(),
  appliedUntilMs: ms().nullable(),
  error: z.string().nullable(),
  errorCode: z.string().nullable(),
  nextTryMs: ms().nullable(),
});

const outage = z.object({
  part: z.string(),
  phase: z
    .string()
    .describe(
      '`trying`: the first three tries; `probing`: they failed, it goes on trying and resumes by itself',
    ),
  tries: z.number(),
  sinceMs: ms(),
  nextTryMs: ms(),
  error: z.string(),
  errorCode: z.string(),
});

const target = z.object({
  target: z.string(),
  appliedUntilMs: ms().nullable(),
  lagMs: lag(),
  parked: z.object({ conflict: z.number(), data: z.number() }),
});

export const statusAnswer = z.object({
  name: z.string(),
  version: z.string(),
  pid: z.number(),
  host: z.string(),
  role: z.string(),
  startedMs: ms(),
  timeMs: ms(),
  http: z.string().nullable(),
  rowsPerSecond: z.number(),
  bytesPerSecond: z.number(),
  rows: z.number(),
  lagMs: lag(),
  pause,
  captures: z.array(capture),
  partitions: z.array(partition),
  targets: z.array(target),
  outages: z.array(outage).describe('parts that wait for a server'),
});

export const lagAnswer = z.object({
  timeMs: ms(),
  lagMs: lag(),
  partitions: z.array(z.object({ topic: z.string(), partition: z.number(), lagMs: lag() })),
  targets: z.array(z.object({ target: z.string(), lagMs: lag() })),
  captures: z.array(z.object({ source: z.string(), lagMs: lag() })),
});

export const positionsAnswer = z.object({
  sources: z.array(
    z.object({
      source: z.string(),
      epoch: z.number(),
      positions: z
        .array(z.object({ position: z.string(), epoch: z.number(), timeMs: ms() }))
        .describe('newest last'),
    }),
  ),
});

export const parkedAnswer = z.object({
  total: z.number(),
  counts: z.array(
    z.object({ target: z.string(), table: z.string(), reason: z.string(), rows: z.number(), oldestMs: ms() }),
  ),
  entries: z
    .array(
      z.object({
        target: z.string(),
        table: z.string(),
        topic: z.string(),
        partition: z.number(),
        reason: z.string(),
        detail: z.string(),
        attempts: z.number(),
        parkedAtMs: ms(),
      }),
    )
    .describe('the oldest, without keys'),
  away: z
    .array(z.object({ target: z.string(), why: z.string() }))
    .describe('targets that did not answer: their rows are not counted'),
});

export const snapshotAnswer = z.object({
  sources: z.array(
    z.object({
      source: z.string(),
      isLive: z.boolean(),
      waits: z.string().nullable(),
      pending: z.number(),
      rate,
      tables: z.array(copy),
    }),
  ),
});

const alertLabels = () => z.record(z.string(), z.string());

const alert = z.object({
  rule: z.string(),
  group: z.string(),
  level: z.string(),
  labels: alertLabels(),
  condition: z.string(),
  message: z.string(),
  value: z.number().nullable().describe('in the unit of the metric; null while unknown'),
  sinceMs: ms(),
  firedMs: ms().nullable().describe('null while it is pending'),
  toldMs: ms().nullable().describe('when somebody was last told of it'),
});

export const alertsAnswer = z.object({
  atMs: ms().nullable().describe('when they were last looked at'),
  alerts: z.array(alert).describe('firing ones first, the gravest first'),
  history: z
    .array(z.object({ kind: z.enum(['fired', 'resolved']), atMs: ms(), isSilenced: z.boolean(), alert }))
    .describe('newest first'),
  silences: z.array(
    z.object({
      id: z.number(),
      rule: z.string().nullable().describe('null for every rule'),
      labels: alertLabels(),
      untilMs: ms(),
      reason: z.string(),
    }),
  ),
  rules: z.array(
    z.object({
      name: z.string(),
      group: z.string(),
      level: z.string(),
      condition: z.string(),
      forMs: z.number(),
      pending: z.number(),
      firing: z.number(),
      hasData: z.boolean().describe('false: nothing that it asks for is known, so it cannot fire'),
    }),
  ),
  channels: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      state: z.enum(['idle', 'ok', 'failing']),
      error: z.string().nullable(),
      waiting: z.number(),
      sent: z.number(),
      lost: z.number(),
      lastSentMs: ms().nullable(),
    }),
  ),
});

export const measuresAnswer = z.object({
  measures: z.array(
    z.object({
      metric: z.string(),
      labels: alertLabels(),
      value: z.number().describe('in the unit of the metric'),
      atMs: ms().describe('when it was reported'),
      by: z.string(),
    }),
  ),
});

const changes = z.array(z.object({ part: z.string(), from: z.string(), to: z.string() }));

export const actionAnswer = z.object({
  changes,
  counts: z.record(z.string(), z.number()).optional(),
});

export const auditAnswer = z.object({
  entries: z
    .array(
      z.object({
        timeMs: ms(),
        action: z.string(),
        who: z.string(),
        remote: z.string(),
        request: z.record(z.string(), z.unknown()),
        changes,
        outcome: z.string(),
        tookMs: z.number(),
      }),
    )
    .describe('newest first'),
});

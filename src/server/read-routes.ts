/** What the daemon tells: its own state at once, what is stored in Kafka and at the targets after a look there. */
import { z } from 'zod';
import { formatPosition } from '../model/position.ts';
import type { RunningDaemon } from '../wiring/daemon.ts';
import { withParked } from '../wiring/parked.ts';
import { savedPositions } from '../wiring/positions.ts';
import { snapshotStatus } from '../wiring/snapshots.ts';
import type { AuditLog } from './audit-log.ts';
import { Fresh } from './fresh.ts';
import { liveness, readiness } from './readiness.ts';
import type { Route } from './route.ts';
import { probes, reads } from './route.ts';
import {
  alertsAnswer,
  auditAnswer,
  healthAnswer,
  lagAnswer,
  measuresAnswer,
  parkedAnswer,
  positionsAnswer,
  snapshotAnswer,
  statusAnswer,
} from './schemas.ts';

/** How long an answer from Kafka or the targets is good for. */
const FRESH_MS = 1_000;
const MOST_ENTRIES = 1_000;

export function readRoutes(daemon: RunningDaemon, audit: AuditLog): Route[] {
  return [
    ...probeRoutes(daemon),
    ...liveRoutes(daemon),
    ...storedRoutes(daemon),
    ...alertRoutes(daemon),
    reads({
      url: '/api/audit',
      summary: 'The newest actions of operators through this process.',
      answer: auditAnswer,
      handle: () => ({ entries: mutable(audit.entries) as z.input<typeof auditAnswer>['entries'] }),
    }),
  ];
}

function probeRoutes(daemon: RunningDaemon): Route[] {
  const { http, capture } = daemon.config;
  const bounds = { stallMs: http.stallMs, checkpointMs: capture.checkpointMs };
  return [
    probes({
      url: '/livez',
      summary: 'Whether the process is worth keeping: 503 when a thread has fallen silent.',
      answer: healthAnswer,
      handle: () => mutable(liveness(daemon.roles, Date.now())),
    }),
    probes({
      url: '/readyz',
      summary:
        'Whether it does its work: 503 when a part stopped, or has something to do and got nowhere for http.stallMs.',
      answer: healthAnswer,
      handle: () => mutable(readiness(daemon.roles, bounds, Date.now())),
    }),
  ];
}

/** What the process knows of itself. */
function liveRoutes(daemon: RunningDaemon): Route[] {
  return [
    reads({
      url: '/api/status',
      summary: 'What this process does now; at most half a second old.',
      answer: statusAnswer,
      handle: () => mutable(daemon.status),
    }),
    reads({
      url: '/api/lag',
      summary: 'How far partitions and targets are behind the source, as far as this process applies them.',
      answer: lagAnswer,
      handle: () => {
        const { timeMs, lagMs, partitions, targets, captures } = daemon.status;
        return { timeMs, lagMs, partitions: [...partitions], targets: [...targets], captures: [...captures] };
      },
    }),
  ];
}

/** What is stored in Kafka and at the targets. */
function storedRoutes(daemon: RunningDaemon): Route[] {
  const { config } = daemon;
  const positions = new Fresh(FRESH_MS, async (signal) => await savedPositions(config, undefined, signal));
  const copies = new Fresh(
    FRESH_MS,
    async (signal) => await snapshotStatus(config, undefined, signal, [daemon.status]),
  );
  const parked = new Fresh(FRESH_MS, async (signal) => await parkedRows(daemon, signal));
  return [
    reads({
      url: '/api/positions',
      summary: 'Saved positions of each source, newest last.',
      query: z.strictObject({
        source: z.string().max(64).optional(),
        last: z.coerce.number().int().min(1).max(1000).default(20),
      }),
      answer: positionsAnswer,
      handle: async ({ query, signal }) => ({
        sources: (await positions.read(signal))
          .filter(({ source }) => query.source === undefined || source === query.source)
          .map(({ source, state }) => ({
            source,
            epoch: state.epoch,
            positions: state.history
              .slice(-query.last)
              .map(({ position, epoch, timeMs }) => ({ position: formatPosition(position), epoch, timeMs })),
          })),
      }),
    }),
    reads({
      url: '/api/parked',
      summary: 'Rows that wait at the targets, without keys and values.',
      answer: parkedAnswer,
      handle: async ({ signal }) => await parked.read(signal),
    }),
    reads({
      url: '/api/snapshot',
      summary: 'How far each table is copied.',
      answer: snapshotAnswer,
      handle: async ({ signal }) => ({ sources: mutable(await copies.read(signal)) }),
    }),
  ];
}

function alertRoutes(daemon: RunningDaemon): Route[] {
  return [
    reads({
      url: '/api/alerts',
      summary: 'Alerts that fire or are about to, and those of late; silences; whether channels get through.',
      answer: alertsAnswer,
      handle: () => {
        const { active, ...rest } = mutable(daemon.alerts.state());
        return { alerts: active, ...rest };
      },
    }),
    reads({
      url: '/api/measures',
      summary:
        'What other programs have reported to this process: the newest of each set of labels, and by whom.',
      answer: measuresAnswer,
      handle: () => ({ measures: mutable(daemon.alerts.measures) }),
    }),
  ];
}

async function parkedRows(
  { config }: RunningDaemon,
  signal: AbortSignal,
): Promise<z.input<typeof parkedAnswer>> {
  const entries: z.input<typeof parkedAnswer>['entries'] = [];
  const counts = new Map<string, z.input<typeof parkedAnswer>['counts'][number]>();
  const silent: z.input<typeof parkedAnswer>['away'] = [];
  await withParked(config, {}, signal, async (found, away) => {
    silent.push(...away.map(({ part, why }) => ({ target: part.replace(/^target /, ''), why })));
    for (const { target, entry } of found) {
      const { table, topic, partition, reason, detail, attempts, parkedAtMs } = entry;
      const key = `${target.name}/${table}/${reason}`;
      const count = counts.get(key) ?? { target: target.name, table, reason, rows: 0, oldestMs: parkedAtMs };
      counts.set(key, { ...count, rows: count.rows + 1, oldestMs: Math.min(count.oldestMs, parkedAtMs) });
      entries.push({ target: target.name, table, topic, partition, reason, detail, attempts, parkedAtMs });
    }
    await Promise.resolve();
  });
  entries.sort((a, b) => a.parkedAtMs - b.parkedAtMs);
  return {
    total: entries.length,
    counts: [...counts.values()],
    entries: entries.slice(0, MOST_ENTRIES),
    away: silent,
  };
}

type Mutable<T> = T extends readonly (infer E)[]
  ? Mutable<E>[]
  : T extends object
    ? { -readonly [K in keyof T]: Mutable<T[K]> }
    : T;

/** The same value under a type without `readonly`, as the declared forms of answers want it. */
function mutable<T>(value: T): Mutable<T> {
  return value as Mutable<T>;
}

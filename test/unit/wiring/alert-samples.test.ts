/** What alerts are told of a daemon: never an alarm of what is idle, done, paused or another process's. */
import { describe, expect, it, test } from 'vitest';
import { shippedRules } from '../../../src/config/alert-rules.ts';
import { EMPTY_BOOK, look } from '../../../src/observe/alerts/alert-book.ts';
import type { ShownCopy } from '../../../src/capture/capture-progress.ts';
import { ALERT_METRICS } from '../../../src/observe/alerts/metrics.ts';
import type { AlertSamples } from '../../../src/observe/alerts/metrics.ts';
import type { AlertFacts } from '../../../src/wiring/alert-samples.ts';
import { AlertSampler } from '../../../src/wiring/alert-samples.ts';
import { usage } from '../../../src/wiring/machine-watch.ts';
import type { OutageStatus } from '../../../src/runtime/outages.ts';
import type { RoleStatus } from '../../../src/wiring/role-messages.ts';
import { applyRole, captureRole, NOW, partition } from '../server/daemon-fixture.ts';

const PAUSE = { by: 'kim', timeMs: NOW };
const MEASURES: AlertSamples = new Map([
  ['report_age_seconds', [{ labels: { metric: 'missing_records' }, value: 3 }]],
]);
const MAIN = { source: 'main', topic: 'shop.main', partition: '0' };

/** Looks at one daemon after another moment; times are milliseconds since the first. */
class Looks {
  readonly #sampler = new AlertSampler({
    captureQueueBytes: 1_000,
    applyQueueBytes: 2_000,
    topicOf: (topic) =>
      topic === 'shop.main' ? { source: 'main', hasHeartbeats: true } : { source: 'd', hasHeartbeats: false },
    hasOwnSources: true,
  });

  of(facts: AlertFacts): AlertSamples {
    return this.#sampler.sample(facts, NOW);
  }

  at(ms: number, ...roles: readonly RoleStatus[]): AlertSamples {
    return this.#sampler.sample(
      {
        roles: roles.map((status) => ({ name: status.role, status, reportedMs: NOW + ms })),
        mainDelayMs: 5,
        cpuUsage: 0.5,
        memoryUsage: 0.25,
        disks: [{ name: '/run', free: null }],
        measures: MEASURES,
      },
      NOW + ms,
    );
  }
}

const value = (samples: AlertSamples, metric: string, labels: Readonly<Record<string, string>> = {}) =>
  samples
    .get(metric)
    ?.find((sample) => Object.entries(labels).every(([name, is]) => sample.labels[name] === is))?.value;

function copy(part: Partial<ShownCopy> = {}): ShownCopy {
  return {
    table: 'shop.t',
    id: 1,
    state: 'copying',
    paused: false,
    keyForm: null,
    upper: null,
    after: null,
    rows: 0,
    estimate: 1e6,
    startedMs: NOW,
    finishedMs: null,
    error: null,
    ...part,
  };
}

test('every metric that rules can ask about is measured, with its labels', () => {
  const looks = new Looks();
  const held = [
    { table: 'shop.h', statement: 'f:1', why: 'ALTER', sinceMs: NOW, acknowledged: null, waits: null },
  ];
  const copies = [copy(), copy({ table: 'shop.f', state: 'failed' })];
  const target = {
    target: 'a',
    appliedUntilMs: NOW,
    lagMs: 0,
    lagSinceMs: null,
    parked: { conflict: 1, data: 0 },
  };
  const parkedTables = [{ table: 't', reason: 'conflict' as const, rows: 1, oldestMs: NOW - 5_000 }];
  const samples = looks.at(
    0,
    captureRole({ held, copies, binlogHeadroomMs: 1_000 }),
    applyRole([partition()], {
      targets: [{ ...target, parkedTables }],
      missingTables: [{ target: 'a', table: 'shop.d', count: 2 }],
      counts: {
        ...applyRole().counts,
        rows: [{ target: 'a', table: 't', upserts: 1, deletes: 0 }],
        writes: [{ target: 'a', count: 0, seconds: 0, runningSeconds: 2 }],
      },
    }),
  );
  expect([...samples.keys()].toSorted()).toEqual(ALERT_METRICS.map(({ name }) => name).toSorted());
  for (const { name, labels } of ALERT_METRICS)
    for (const sample of samples.get(name) ?? []) expect(Object.keys(sample.labels), name).toEqual(labels);
  expect(value(samples, 'oldest_parked_seconds')).toBe(5);
  expect(value(samples, 'write_seconds', { target: 'a' })).toBe(2);
  expect(value(samples, 'write_rate', { target: 'a', table: 't' })).toBeNull();
});

describe('binlog that the source keeps by its size', () => {
  const fires = (behind: number | null, headroom: number | null): readonly string[] => {
    const role = captureRole({ binlogBehindBytes: behind, binlogHeadroomBytes: headroom });
    const rules = shippedRules().rules.filter(({ name }) => name.startsWith('binlog_'));
    const { book } = look(EMPTY_BOOK, rules, new Looks().at(0, role), NOW, { repeatMs: 1, historySize: 1 });
    return [...book.active.values()].map(({ message }) => message);
  };

  it('is told of when less is left than waits to be read, and not because the source keeps little', () => {
    expect(fires(1e9 + 1, 1e9 - 1)).toEqual([
      'The source main removes the binlog of the saved position after 953.7 MiB more',
    ]);
    expect(fires(1e9 + 1, 1e9)).toEqual([]);
    expect(fires(1e9, 1e9 - 1)).toEqual([]);
    expect(fires(0, 0)).toEqual([]);
    expect(fires(50e9, null)).toEqual([]);
  });
});

test('a role that has ended for good is told of, also when it never reported', () => {
  const facts = {
    mainDelayMs: 0,
    cpuUsage: null,
    memoryUsage: 0,
    disks: [{ name: '/', free: 1 }],
    measures: MEASURES,
  };
  const roles = [
    { name: 'apply', status: undefined, reportedMs: NOW, failureCode: 'ROWFERRY_KAFKA_OFFSET_LOST' as const },
    { name: 'capture main', status: captureRole(), reportedMs: NOW },
  ];
  const samples = new Looks().of({ ...facts, roles });
  expect(samples.get('role_stopped')).toEqual([
    { labels: { role: 'apply', source: '' }, value: 1 },
    { labels: { role: 'capture', source: 'main' }, value: 0 },
  ]);
});

describe('an idle pipeline', () => {
  it('makes progress by its heartbeats, and none when even those stay away', () => {
    const looks = new Looks();
    looks.at(0, applyRole([partition({ progressedMs: NOW - 100 })]));
    const busy = looks.at(200, applyRole([partition({ progressedMs: NOW + 100 })]));
    expect(value(busy, 'no_progress_for')).toBe(0.1);
    const silent = looks.at(400_100, applyRole([partition({ progressedMs: NOW + 100 })]));
    expect(value(silent, 'no_progress_for', { source: 'main' })).toBe(400);
  });

  it('is not held up by the worker of a partition that is tried again', () => {
    const looks = new Looks();
    looks.at(0, applyRole([partition({ progressedMs: NOW })]));
    const anew = looks.at(60_000, applyRole([partition({ state: 'claiming', progressedMs: null })]));
    expect(value(anew, 'no_progress_for')).toBe(60);
  });

  it('of Debezium, which sends none, is no lag and no standstill; work that waits is', () => {
    const looks = new Looks();
    const idle = partition({ topic: 'dbz', lagMs: null, progressedMs: null });
    for (const ms of [0, 900_000]) {
      const samples = looks.at(ms, applyRole([idle]));
      expect(samples.get('lag_seconds')).toBeUndefined();
      expect(samples.get('lag_unknown_seconds')).toBeUndefined();
      expect(value(samples, 'no_progress_for')).toBe(0);
    }
    const stuck = looks.at(1_300_000, applyRole([{ ...idle, queueBytes: 1 }]));
    expect(value(stuck, 'no_progress_for')).toBe(400);
  });
});

describe('other processes', () => {
  it('have no samples here: neither lag of their partitions nor what a stand-by does not know', () => {
    const looks = new Looks();
    const standby = looks.at(0, captureRole({ state: 'standby', savedMs: NOW - 1e9, copies: [copy()] }));
    expect(value(standby, 'checkpoint_age_seconds')).toBeNull();
    for (const name of ['lag_seconds', 'no_progress_for', 'snapshot_stalled_seconds', 'held_tables'])
      expect(standby.get(name), name).toBeUndefined();
    expect(looks.at(0, applyRole([])).get('no_progress_for')).toBeUndefined();
  });
});

describe('lag', () => {
  it('that is not known counts from when it was not, and not through a pause', () => {
    const looks = new Looks();
    looks.at(0, applyRole([partition({ lagMs: null })]));
    const later = looks.at(130_000, applyRole([partition({ lagMs: null })]));
    expect(value(later, 'lag_unknown_seconds', MAIN)).toBe(130);
    expect(value(later, 'lag_seconds', MAIN)).toBeNull();
    const paused = looks.at(131_000, applyRole([partition({ lagMs: null, state: 'paused' })]));
    expect(value(paused, 'lag_unknown_seconds', MAIN)).toBe(0);
    const known = looks.at(132_000, applyRole([partition({ lagMs: 1_500 })]));
    expect(value(known, 'lag_seconds', MAIN)).toBe(1.5);
  });

  it('comes with how long the thread that tells it is held up', () => {
    const sampler = new AlertSampler({
      captureQueueBytes: 1,
      applyQueueBytes: 1,
      topicOf: () => ({ source: 'main', hasHeartbeats: true }),
      hasOwnSources: true,
    });
    const roles = [{ name: 'apply', status: applyRole([partition({ lagMs: 0 })]), reportedMs: NOW }];
    const facts = {
      roles,
      mainDelayMs: 0,
      cpuUsage: null,
      memoryUsage: 0,
      disks: [{ name: '/', free: 1 }],
      measures: MEASURES,
    };
    const samples = sampler.sample(facts, NOW + 61_000);
    expect(value(samples, 'event_loop_delay_seconds', { thread: 'apply' })).toBe(61);
  });
});

/** An outage that began so long ago. */
function outage(part: string, server: string | null, part2: Partial<OutageStatus> = {}): OutageStatus {
  const [tries, sinceMs, nextTryMs] = [2, NOW - 31_000, NOW + 1];
  const errorCode = 'ROWFERRY_TARGET_LINK';
  return { part, phase: 'trying', server, tries, sinceMs, nextTryMs, error: 'gone', errorCode, ...part2 };
}

describe('waiting', () => {
  it('goes on through tries that fail, and ends when something got through', () => {
    const looks = new Looks();
    const waits = partition({ state: 'waiting', errorCode: 'ROWFERRY_KAFKA_LINK', nextTryMs: NOW });
    looks.at(0, applyRole([waits]));
    looks.at(500, applyRole([partition({ state: 'claiming' })]));
    const third = looks.at(2_000, applyRole([waits]));
    expect(value(third, 'waiting_seconds', { part: 'apply' })).toBe(2);
    const back = looks.at(2_500, applyRole([partition()]));
    expect(value(back, 'waiting_seconds', { part: 'apply' })).toBe(0);
  });

  it('for a server counts the tries of its outages, of the part that has failed most often', () => {
    const east = [
      outage('shop.main/0', 'target a'),
      outage('shop.main/1', 'target a', { tries: 5, sinceMs: NOW }),
    ];
    const away = new Looks().at(0, applyRole([partition()], { outages: east }));
    expect(value(away, 'waiting_seconds', { part: 'apply' })).toBe(31);
    expect(value(away, 'target_unreachable_seconds', { target: 'a' })).toBe(31);
    expect(value(away, 'reconnect_failures', { server: 'target a' })).toBe(5);
    expect(value(away, 'reconnect_failures', { server: 'kafka' })).toBe(0);
    const kafka = outage('consumer x', 'kafka', { errorCode: 'ROWFERRY_KAFKA_LINK', tries: 3 });
    const link = outage('capture main', 'source main', { errorCode: 'ROWFERRY_SOURCE_LINK', tries: 4 });
    const both = new Looks().at(0, applyRole([], { outages: [kafka] }), captureRole({}, { outages: [link] }));
    expect(value(both, 'reconnect_failures', { server: 'kafka' })).toBe(3);
    expect(value(both, 'reconnect_failures', { server: 'source main' })).toBe(4);
    expect(value(both, 'target_unreachable_seconds', { target: 'a' })).toBe(0);
  });

  it.each(['ROWFERRY_TARGET_BUSY', 'ROWFERRY_TARGET_REFUSES'])(
    'for a target that answers with %s is no target out of reach',
    (errorCode) => {
      const outages = [outage('shop.main/0', 'target a', { errorCode, tries: 7 })];
      const busy = new Looks().at(0, applyRole([partition()], { outages }));
      expect(value(busy, 'waiting_seconds', { part: 'apply' })).toBe(31);
      expect(value(busy, 'target_unreachable_seconds', { target: 'a' })).toBe(0);
      expect(value(busy, 'reconnect_failures', { server: 'target a' })).toBe(0);
    },
  );

  it.each(['ROWFERRY_SOURCE_LINK', 'ROWFERRY_SOURCE_ACCESS'])(
    'for a heartbeat row that cannot be written (%s) is no source out of reach: it may be written elsewhere',
    (errorCode) => {
      const outages = [outage('heartbeat row main', 'source main', { errorCode, tries: 9 })];
      const reads = new Looks().at(0, captureRole({}, { outages }));
      expect(value(reads, 'reconnect_failures', { server: 'source main' })).toBe(0);
    },
  );

  it.each([
    ['source main', 'ROWFERRY_SOURCE_ACCESS'],
    ['target a', 'ROWFERRY_TARGET_ACCESS'],
    ['kafka', 'ROWFERRY_KAFKA_REFUSED'],
  ])('for a server that lets nobody in any more counts its tries: %s', (server, errorCode) => {
    const outages = [outage('a part', server, { errorCode, tries: 3 })];
    const locked = new Looks().at(0, applyRole([partition()], { outages }));
    expect(value(locked, 'reconnect_failures', { server })).toBe(3);
    expect(value(locked, 'target_unreachable_seconds', { target: 'a' })).toBe(server === 'target a' ? 31 : 0);
  });

  it('of a capture outlives its incarnations', () => {
    const looks = new Looks();
    const away = { state: 'waiting', errorCode: 'ROWFERRY_SOURCE_LINK' } as const;
    looks.at(0, captureRole(away));
    looks.at(30_000, captureRole({ state: 'starting' }));
    expect(value(looks.at(61_000, captureRole(away)), 'waiting_seconds', { part: 'capture main' })).toBe(61);
  });

  it('for other partitions is none, and neither is a pause; targets that never answered are waited for', () => {
    const looks = new Looks();
    for (const ms of [0, 90_000]) {
      const samples = looks.at(ms, applyRole([partition({ state: 'waiting' })]));
      expect(value(samples, 'waiting_seconds')).toBe(0);
    }
    const counts = { ...applyRole().counts, rebalances: 0 };
    const opening = {
      counts,
      targets: [],
      outages: [outage('target a', 'target a', { sinceMs: NOW + 90_000 })],
    };
    const samples = looks.at(130_000, applyRole([], opening));
    expect(value(samples, 'waiting_seconds')).toBe(40);
    expect(value(samples, 'target_unreachable_seconds', { target: 'a' })).toBe(40);
    const paused = { ...opening, outages: [], pause: PAUSE };
    expect(value(looks.at(140_000, applyRole([], paused)), 'waiting_seconds')).toBe(0);
  });
});

describe('copies', () => {
  const speed = (looks: Looks, ms: number, ...copies: readonly ShownCopy[]) =>
    value(looks.at(ms, captureRole({ copies })), 'progress_speed');

  it('have a speed once they have gone on for a minute', () => {
    const looks = new Looks();
    for (let second = 0; second < 60; second++)
      expect(speed(looks, second * 1000, copy({ rows: second * 10 }))).toBeNull();
    expect(speed(looks, 60_000, copy({ rows: 600 }))).toBe(10);
    for (let second = 61; second < 120; second++) speed(looks, second * 1000, copy({ rows: 600 }));
    expect(speed(looks, 120_000, copy({ rows: 600 }))).toBe(0);
    const stalled = looks.at(121_000, captureRole({ copies: [copy({ rows: 600 })] }));
    expect(value(stalled, 'snapshot_stalled_seconds', { table: 'shop.t' })).toBe(61);
  });

  it('that are done have no speed, so that an alert of slow ones ends', () => {
    const looks = new Looks();
    const slow = shippedRules().rules.filter(({ name }) => name === 'progress_slow');
    let book = EMPTY_BOOK;
    const firing = (ms: number, one: ShownCopy): boolean => {
      const samples = looks.at(ms, captureRole({ copies: [one] }));
      book = look(book, slow, samples, NOW + ms, { repeatMs: 1e9, historySize: 1 }).book;
      return [...book.active.values()].some(({ firedMs }) => firedMs !== null);
    };
    for (let ms = 0; ms < 120_000; ms += 500) firing(ms, copy({ rows: 1 }));
    expect(firing(120_000, copy({ rows: 1 }))).toBe(true);
    expect(firing(120_500, copy({ state: 'done' }))).toBe(true);
    expect(firing(150_500, copy({ state: 'done' }))).toBe(false);
  });

  it.each([
    ['paused', captureRole({ copies: [copy({ paused: true })] })],
    ['resting for the source’s sake', captureRole({ copies: [copy()], copyIsSpared: true })],
    [
      'held',
      captureRole({
        copies: [copy()],
        held: [{ table: 'shop.t', statement: '', why: '', sinceMs: 1, acknowledged: null, waits: null }],
      }),
    ],
    ['of a capture that waits', captureRole({ copies: [copy()], state: 'waiting' })],
  ])('that are %s are neither slow nor stalled', (_, role) => {
    const looks = new Looks();
    for (const ms of [0, 60_000, 700_000]) {
      const samples = looks.at(ms, role);
      expect(value(samples, 'progress_speed')).toBeNull();
      expect(samples.get('snapshot_stalled_seconds')).toBeUndefined();
    }
  });
});

test('processor time in use is what was not idle', () => {
  expect(usage({ idle: 100, all: 200 }, { idle: 110, all: 300 })).toBe(0.9);
  expect(usage({ idle: 1, all: 2 }, { idle: 1, all: 2 })).toBeNull();
});

test('a partition that stopped counts as stopped until it has applied something: a try alone is no sign', () => {
  const looks = new Looks();
  const code = 'ROWFERRY_TARGET_DATA';
  const stopped = partition({ state: 'stopped', errorCode: code, sinceMs: NOW, progressedMs: NOW - 1 });
  const at = (ms: number, one: ReturnType<typeof partition>) =>
    looks.at(ms, applyRole([one, partition({ partition: 1 })])).get('partition_stopped');
  const labels = { source: 'main', topic: 'shop.main' };
  expect(at(-1, partition())).toEqual([{ labels: { ...labels, code: '' }, value: 0 }]);
  const on = [{ labels: { ...labels, code }, value: 1 }];
  expect(at(0, stopped)).toEqual(on);
  for (const state of ['claiming', 'running', 'waiting'] as const)
    expect(at(500, partition({ state, sinceMs: NOW + 500, progressedMs: null }))).toEqual(on);
  expect(at(900, partition({ state: 'running', progressedMs: NOW - 1 }))).toEqual(on);
  expect(at(1_000, partition({ state: 'running', progressedMs: NOW + 1_000 }))).toEqual([
    { labels: { ...labels, code: '' }, value: 0 },
  ]);
  const two = looks.at(2_000, applyRole([stopped, partition({ ...stopped, partition: 1 })]));
  expect(value(two, 'partition_stopped', { code })).toBe(2);
});

import { resolve } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { printConfig } from '../../../src/config/print.ts';
import { GOOD, parse, problems } from './config-text.ts';

const withAlerts = (text: string): string => `${GOOD}alerts:\n${text}`;

/** Through JSON, where every secret is the same. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const FILE = `# rules
migration_alerts:
  progress_alerts:
    - condition: "lag_seconds > 60 s"
      for: 10 s
      level: critical
      message: "{topic}/{partition} is {value} behind"
  system_alerts:
    - { name: cpu, condition: cpu_usage > 90%, level: warning, message: CPU }
`;

const withFile = (file: string, text = withAlerts('  rules: rules.yaml\n')) =>
  [text, { readFile: () => file }] as const;

describe('rules', () => {
  it('are the shipped ones unless the file says otherwise', () => {
    const { alerts } = parse(GOOD);
    expect(alerts.rules.length).toBeGreaterThan(20);
    expect(alerts.channels).toEqual([{ name: 'log', type: 'log', leastLevel: 'warning' }]);
    expect(alerts.repeatMs).toBe(4 * 3_600_000);
  });

  it('come from a file of the shape migration_alerts, groups, rules', () => {
    expect(parse(...withFile(FILE)).alerts.rules).toMatchObject([
      {
        name: 'progress_alerts_1',
        group: 'progress_alerts',
        forMs: 10_000,
        level: 'critical',
        channels: null,
      },
      { name: 'cpu', group: 'system_alerts', forMs: 0, text: 'cpu_usage > 90%' },
    ]);
  });

  it('may stand in the configuration itself', () => {
    const inline = FILE.split('\n')
      .map((line) => `    ${line}`)
      .join('\n');
    expect(parse(withAlerts(`  rules:\n${inline}`)).alerts.rules.map(({ name }) => name)).toEqual([
      'progress_alerts_1',
      'cpu',
    ]);
  });

  it('what is printed is read as the same rules', () => {
    const config = parse(...withFile(FILE));
    const again = parse(printConfig(config)).alerts;
    expect(plain(again)).toEqual(plain(config.alerts));
  });

  it.each([
    [
      'lag_seconds > 60 s',
      'lag_secnds > 60 s',
      'rules.yaml:4:19: migration_alerts.progress_alerts[0].condition: lag_secnds is no metric; did you mean lag_seconds?',
    ],
    [
      'lag_seconds > 60 s',
      'lag_seconds > 60 sek',
      'rules.yaml:4:36: migration_alerts.progress_alerts[0].condition: sek is no unit; known are ms, s, min, h, d, %, B, kB, MB, GB, KiB, MiB, GiB, records/s, records/min, records/h',
    ],
    [
      'cpu_usage > 90%',
      'cpu_usage > 90 s',
      'rules.yaml:9:46: migration_alerts.system_alerts[0].condition: s does not fit here, where % is meant',
    ],
    [
      'for: 10 s',
      'for: 10',
      'rules.yaml:5:12: migration_alerts.progress_alerts[0].for: must be a duration such as 10 s or 1 min, not a number; put it in quotes',
    ],
    [
      'for: 10 s',
      'for: 10 rows',
      'rules.yaml:5:12: migration_alerts.progress_alerts[0].for: rows does not fit here, where ms, s, min, h, d is meant',
    ],
    [
      'for: 10 s',
      'for: 8 d',
      'rules.yaml:5:12: migration_alerts.progress_alerts[0].for: must not be longer than 7 d',
    ],
    [
      'level: critical',
      'level: kritisch',
      'rules.yaml:6:14: migration_alerts.progress_alerts[0].level: must be one of warning, error, critical, emergency',
    ],
    [
      'level: critical',
      'levl: critical',
      'rules.yaml:4:7: migration_alerts.progress_alerts[0].level: is missing',
    ],
    [
      '{partition} is',
      '{partiton} is',
      'rules.yaml:7:25: migration_alerts.progress_alerts[0].message: {partiton} is nothing that this condition knows; did you mean partition?',
    ],
    ['migration_alerts:', 'alerts:', 'rules.yaml:1:1: migration_alerts: is missing'],
    [
      'name: cpu',
      'name: progress_alerts_1',
      'rules.yaml:9:15: migration_alerts.system_alerts[0].name: progress_alerts_1 is the name of another rule',
    ],
    [
      'name: cpu',
      'channels: [pager]',
      'rules.yaml:9:20: migration_alerts.system_alerts[0].channels[0]: names no channel; channels are log',
    ],
  ])('%s -> %s is refused with its place', (good, bad, problem) => {
    expect(FILE).toContain(good);
    expect(problems(...withFile(FILE.replace(good, bad)))).toContain(problem);
  });

  it('a mistake within the configuration itself has its place there', () => {
    const text = withAlerts(
      `  rules: { migration_alerts: { g: [{ condition: 'lag_seconds > 1 parsec', level: error, message: m }] } }\n`,
    );
    expect(problems(text)).toEqual([
      expect.stringMatching(
        /^shop\.yaml:12:66: alerts\.rules\.migration_alerts\.g\[0\]\.condition: parsec is no unit/,
      ),
    ]);
  });

  it('a folded condition names the place where it begins', () => {
    const folded = FILE.replace('"lag_seconds > 60 s"', '>\n        lag_seconds\n        > 60 sek');
    expect(problems(...withFile(folded))).toEqual([
      expect.stringMatching(/^rules\.yaml:4:18: .*sek is no unit/),
    ]);
  });

  it('a file that is not there is told', () => {
    expect(problems(withAlerts('  rules: nowhere.yaml\n'))).toEqual([
      'nowhere.yaml: cannot be read (ENOENT)',
    ]);
  });
});

describe('metrics that others report', () => {
  const METRICS = `  metrics:
    data_inconsistency_rate: { unit: share, labels: [table], meaning: Rows that differ, staleMs: 2h }
    failed_rollbacks: { unit: count, meaning: Roll-backs that failed }
`;
  const RULES = `  rules: { migration_alerts: { g: [{ condition: 'data_inconsistency_rate{table="a"} > 0.1% and failed_rollbacks > 0', level: error, message: "{table}" }] } }
`;

  it('are what rules can ask for, with their labels and units', () => {
    const config = parse(withAlerts(METRICS + RULES));
    expect(config.alerts.metrics).toEqual([
      {
        name: 'data_inconsistency_rate',
        dimension: 'share',
        labels: ['table'],
        meaning: 'Rows that differ',
        series: null,
        staleMs: 7_200_000,
      },
      {
        name: 'failed_rollbacks',
        dimension: 'count',
        labels: [],
        meaning: 'Roll-backs that failed',
        series: null,
        staleMs: 3_600_000,
      },
    ]);
    expect(config.alerts.rules).toHaveLength(1);
    expect(plain(parse(printConfig(config)).alerts)).toEqual(plain(config.alerts));
  });

  it('may be asked for in a file of rules', () => {
    const file = FILE.replace('cpu_usage > 90%', 'failed_rollbacks > 0');
    expect(
      parse(...withFile(file, withAlerts(`  rules: rules.yaml\n${METRICS}`))).alerts.rules[1]?.text,
    ).toBe('failed_rollbacks > 0');
    expect(problems(...withFile(file))[0]).toContain(
      'failed_rollbacks is no metric; `rowferry alerts metrics` lists them, what other programs report is declared in alerts.metrics',
    );
  });

  it.each([
    ['failed_rollbacks:', 'lag_seconds:', /14:5: .*lag_seconds: is a metric that rowferry measures itself/],
    ['failed_rollbacks:', 'moves_total:', /moves_total: is exported by rowferry itself/],
    ['failed_rollbacks:', 'batch_rows_count:', /batch_rows_count: is exported by rowferry itself/],
    ['failed_rollbacks:', 'Failed-rollbacks:', /Failed-rollbacks: is no name of a metric/],
    ['unit: count', 'unit: rows', /unit: must be one of duration, share, count, bytes, rate/],
    ['[table]', '[table, table]', /labels\[1\]: is named twice/],
    ['[table]', '[value]', /labels\[0\]: is a label that alerts or Prometheus give/],
    ['[table]', '[a, b, c, d, e]', /labels\[4\]: is one label too many/],
    ['staleMs: 2h', 'staleMs: 2', /staleMs: must be a duration from 1s to 30d/],
    ['{table="a"}', '{shard="a"}', /shard is no label of data_inconsistency_rate; it has table/],
    ['> 0.1%', '> 0.1 s', /s does not fit here, where % is meant/],
  ])('%s -> %s is refused alone, with its place', (good, bad, problem) => {
    const text = withAlerts(METRICS + RULES);
    expect(text).toContain(good);
    expect(problems(text.replace(good, bad))).toEqual([expect.stringMatching(problem)]);
  });

  it('are at most 50', () => {
    const many = Array.from({ length: 51 }, (_, i) => {
      const name = `m_${String.fromCodePoint(97 + (i % 26))}${'z'.repeat(Math.floor(i / 26))}`;
      return `    ${name}: { unit: count, meaning: m }\n`;
    });
    expect(problems(withAlerts(`  metrics:\n${many.join('')}`))).toEqual([
      'shop.yaml:12:3: alerts.metrics: has more than 50 metrics',
    ]);
  });
});

it('disks are folders relative to the file; more than 20 are refused', () => {
  const { alerts } = parse(withAlerts('  disks: [/var/lib/mysql, kafka]\n'));
  expect(alerts.disks).toEqual(['/var/lib/mysql', resolve('kafka')]);
  const many = Array.from({ length: 21 }, (_, i) => `d${i}`).join(', ');
  expect(problems(withAlerts(`  disks: [${many}]\n`))).toEqual([
    'shop.yaml:12:10: alerts.disks: must have at most 20 entries; got 21',
  ]);
});

describe('channels', () => {
  const CHANNELS = withAlerts(`  repeatMs: 1h
  channels:
    ops: { type: webhook, url: "https://hooks.example/T0/topsecretpath", secret: "\${env:SRC_PASSWORD}geheimgeheim", headers: { Authorization: "Bearer topsecrettoken" } }
    mail: { type: email, url: "smtp://me:topsecretword@mail.example:587", from: "rowferry <a@b.example>", to: [ops@b.example], leastLevel: critical }
    page: { type: command, command: [/usr/bin/page, --now], timeoutMs: 5s }
`);

  it('resolve with their secrets kept', () => {
    const { alerts } = parse(CHANNELS);
    expect(alerts.repeatMs).toBe(3_600_000);
    expect(alerts.channels.map(({ name, type, leastLevel }) => [name, type, leastLevel])).toEqual([
      ['ops', 'webhook', 'warning'],
      ['mail', 'email', 'critical'],
      ['page', 'command', 'warning'],
    ]);
    const config = parse(CHANNELS);
    for (const shown of [printConfig(config), JSON.stringify(config), inspect(config, { depth: 9 })]) {
      for (const secret of ['topsecret', 'geheim']) expect(shown).not.toContain(secret);
    }
    expect(printConfig(config)).toContain('smtp://***@mail.example:587/***');
  });

  it.each([
    [
      'https://hooks.example/T0/topsecretpath',
      'ftp://topsecret',
      'shop.yaml:14:32: alerts.channels.ops.url: must be a URL such as https://hooks.example/rowferry',
    ],
    [
      'type: email',
      'type: emial',
      'shop.yaml:15:19: alerts.channels.mail.type: must be one of log, webhook, email, command',
    ],
    ['[/usr/bin/page, --now]', '[]', 'shop.yaml:16:37: alerts.channels.page.command: must not be empty'],
    ['ops@b.example', '"ops"', 'shop.yaml:15:112: alerts.channels.mail.to[0]: must be a mail address'],
  ])('%s -> %s is refused without a word of it', (good, bad, problem) => {
    expect(CHANNELS).toContain(good);
    expect(problems(CHANNELS.replace(good, bad))).toEqual([problem]);
  });
});

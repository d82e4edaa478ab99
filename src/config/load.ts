/** Reads, checks and resolves the configuration file; every problem is told at once, each with its place. */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { RowferryError } from '../errors.ts';
import type { AlertChannelOptions } from './alert-options.ts';
import { reportedMetrics } from './alert-metrics.ts';
import { readAlertRules } from './alert-rules.ts';
import { crossCheck } from './check.ts';
import type {
  AlertChannelSettings,
  ColumnSettings,
  Config,
  DatabaseUrl,
  HeartbeatRowSettings,
  RouteSettings,
  SchemaSettings,
  SnapshotSettings,
  SourceSettings,
  TargetSettings,
  TlsSettings,
} from './config.ts';
import { expandTargets } from './expand-targets.ts';
import { systemCode } from './interpolate.ts';
import type { Surroundings } from './interpolate.ts';
import { LocatedYaml } from './locate.ts';
import { configOptions } from './options.ts';
import type { ConfigOptions, SourceOptions, TargetOptions, TlsOptions } from './options.ts';
import { problemsOf } from './problems.ts';
import type { ColumnOptions, RouteOptions } from './route-options.ts';
import { layoutSettings, targetTable } from './route-rules.ts';
import { Secret } from './secret.ts';
import type { StartFrom } from '../model/position.ts';
import type { AlertRule } from '../observe/alerts/rule.ts';

/** Reads the file; throws ROWFERRY_CONFIG_INVALID whose message holds one line a problem. */
export function loadConfig(file: string, env: Surroundings['env']): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new RowferryError('ROWFERRY_CONFIG_INVALID', `${file}: cannot be read (${systemCode(error)})`, {
      hint: 'name the configuration with --config or ROWFERRY_CONFIG',
      cause: error,
    });
  }
  const folder = dirname(file);
  return parseConfig(file, text, { env, readFile: (path) => readFileSync(resolve(folder, path), 'utf8') });
}

/** The same for text that is already at hand. `file` leads every place. */
export function parseConfig(file: string, text: string, surroundings: Surroundings): Config {
  const yaml = new LocatedYaml(file, text, surroundings);
  const raw = yaml.value === null ? {} : yaml.value;
  const parsed = yaml.value === undefined ? undefined : configOptions.safeParse(raw, { reportInput: true });
  const told = [
    ...(parsed === undefined || parsed.success ? [] : problemsOf(configOptions, parsed.error)),
    ...(parsed === undefined ? [] : crossCheck(raw)),
  ];
  const alertRules = readAlertRules(raw, yaml, surroundings);
  const problems = [
    ...yaml.problems,
    ...alertRules.problems,
    ...told.filter(({ path }) => !yaml.failed(path)).map((problem) => yaml.locate(problem)),
  ];
  if (problems.length > 0 || parsed?.success !== true) {
    const lines = problems.toSorted((a, b) => a.offset - b.offset).map(({ line }) => line);
    throw new RowferryError('ROWFERRY_CONFIG_INVALID', [...new Set(lines)].join('\n'));
  }
  return freeze(resolveConfig(parsed.data, alertRules.rules, yaml, surroundings.env));
}

function resolveConfig(
  options: ConfigOptions,
  rules: readonly AlertRule[],
  yaml: LocatedYaml,
  env: Surroundings['env'],
): Config {
  const { name, kafka, apply, capture, retry, http, log, drainMs } = options;
  return {
    name,
    kafka: {
      ...kafka,
      topicPrefix: kafka.topicPrefix ?? name,
      tls: tlsSettings(kafka.tls),
      sasl: kafka.sasl === undefined ? null : { ...kafka.sasl, password: new Secret(kafka.sasl.password) },
    },
    sources: Object.entries(options.sources).flatMap(([key, source]) =>
      'debezium' in source ? [] : [sourceSettings(key, source)],
    ),
    debezium: Object.entries(options.sources).flatMap(([key, source]) =>
      'debezium' in source ? [{ name: key, ...source.debezium }] : [],
    ),
    targets: [...expandTargets(Object.entries(options.targets))].map(([key, target]) =>
      targetSettings(key, target),
    ),
    routes: options.routes.map((route, i) => routeSettings(route, yaml.place(['routes', i]))),
    apply,
    capture,
    snapshot: snapshotSettings(options.snapshot),
    retry,
    schema: schemaSettings(options.schema, yaml),
    alerts: {
      ...options.alerts,
      rules,
      metrics: reportedMetrics(options.alerts.metrics),
      disks: (options.alerts.disks ?? []).map((disk) => resolve(dirname(yaml.file), disk)),
      channels: Object.entries(options.alerts.channels).map(([key, channel]) =>
        channelSettings(key, channel),
      ),
    },
    http: { ...http, token: http.token === undefined ? null : new Secret(http.token) },
    log,
    drainMs,
    runDir: resolve(
      dirname(yaml.file),
      options.runDir ?? join(env['XDG_RUNTIME_DIR'] ?? tmpdir(), `rowferry-${name}`),
    ),
    file: yaml.file,
  };
}

function sourceSettings(name: string, source: SourceOptions): SourceSettings {
  const { url, tls, startFrom, replicas, heartbeatRow, ...rest } = source;
  const own = { ...url, tls: tlsSettings(tls) };
  return {
    name,
    ...rest,
    url: own,
    heartbeatRow: heartbeatSettings(heartbeatRow, own),
    startFrom: startOf(startFrom),
    replicas: Object.entries(replicas).map(([key, replica]) => ({
      name: key,
      url: { ...replica.url, tls: tlsSettings(replica.tls) },
    })),
  };
}

function heartbeatSettings(
  row: SourceOptions['heartbeatRow'],
  own: DatabaseUrl,
): HeartbeatRowSettings | null {
  if (row === false) return null;
  if (row === true) return { url: own, isElsewhere: false };
  return { url: { ...row.url, tls: tlsSettings(row.tls) }, isElsewhere: true };
}

function targetSettings(name: string, target: TargetOptions): TargetSettings {
  const { url, tls, ...rest } = target;
  return { name, ...rest, url: { ...url, tls: tlsSettings(tls) } };
}

function snapshotSettings({
  threadsRunning,
  rowsPerSecond,
  hours,
  ...rest
}: ConfigOptions['snapshot']): SnapshotSettings {
  const [from, to] = (hours ?? '').split('-').map(minutesOf);
  return {
    ...rest,
    threadsRunning: threadsRunning ?? null,
    rowsPerSecond: rowsPerSecond ?? null,
    hours: from === undefined || to === undefined ? null : { from, to },
  };
}

function schemaSettings({ dir, indexes, types }: ConfigOptions['schema'], yaml: LocatedYaml): SchemaSettings {
  return {
    dir: resolve(dirname(yaml.file), dir ?? 'schema'),
    indexes,
    types: Object.entries(types).map(([column, type]) => ({
      column,
      type,
      place: yaml.place(['schema', 'types', column], 'key'),
    })),
  };
}

function channelSettings(name: string, channel: AlertChannelOptions): AlertChannelSettings {
  switch (channel.type) {
    case 'log':
    case 'command':
      return { name, ...channel };
    case 'email':
      return { name, ...channel, url: new Secret(channel.url) };
    case 'webhook': {
      const headers = Object.entries(channel.headers).map(
        ([key, value]) => [key, new Secret(value)] as const,
      );
      return {
        name,
        ...channel,
        url: new Secret(channel.url),
        secret: channel.secret === undefined ? null : new Secret(channel.secret),
        headers: Object.fromEntries(headers),
      };
    }
  }
}

function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}

function routeSettings(route: RouteOptions, place: string): RouteSettings {
  return {
    from: route.from,
    sources: route.sources ?? null,
    to: targetTable(route),
    layout: layoutSettings(route),
    columns: route.columns === undefined ? null : columnSettings(route.columns),
    keysAreDisjoint: route.keys === 'disjoint',
    place,
  };
}

function columnSettings({ hashKey, ...columns }: ColumnOptions): ColumnSettings {
  return { ...present(columns), hashKey: hashKey === undefined ? null : new Secret(hashKey) };
}

function startOf(start: SourceOptions['startFrom']): StartFrom {
  if (typeof start === 'string') return { kind: start };
  // GTID sets are often pasted with line breaks; the server wants none.
  if ('gtid' in start) return { kind: 'gtid', gtid: start.gtid.replace(/\s+/g, '') };
  return { kind: 'file', file: start.file, position: start.position };
}

function tlsSettings(tls: TlsOptions): TlsSettings | null {
  if (tls === false) return null;
  if (tls === true) return { rejectUnauthorized: true };
  const { ca, cert, key, rejectUnauthorized } = tls;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: new Secret(key) }),
    rejectUnauthorized,
  };
}

/** Without the options that were left out, which zod writes as undefined. */
function present<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
}

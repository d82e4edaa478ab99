/** Writes a resolved configuration as YAML: the shape of the file, defaults filled in, secrets as `***`. */
import { stringify } from 'yaml';
import type {
  AlertSettings,
  Config,
  DatabaseUrl,
  RouteSettings,
  SchemaSettings,
  SnapshotSettings,
  TlsSettings,
} from './config.ts';
import type { Secret } from './secret.ts';
import type { AlertRule } from '../observe/alerts/rule.ts';
import { formatDuration } from '../observe/alerts/quantity.ts';
import { formatDatabaseUrl } from './database-url.ts';
import { showDuration } from './option-kinds.ts';
import type { RuleSettings, TableSettings } from './route-rules.ts';
import type { StartFrom } from '../model/position.ts';

export function printConfig(config: Config): string {
  const { kafka } = config;
  const tree = {
    name: config.name,
    kafka: {
      ...kafka,
      retentionMs: kafka.retentionMs === -1 ? showDuration(-1) : kafka.retentionMs,
      tls: tlsTree(kafka.tls),
      ...(kafka.sasl === null ? { sasl: undefined } : {}),
    },
    sources: {
      ...Object.fromEntries(
        config.sources.map(({ name, url, startFrom, replicas, heartbeatRow, ...rest }) => [
          name,
          {
            ...urlTree(url),
            ...rest,
            startFrom: startTree(startFrom),
            heartbeatRow:
              heartbeatRow?.isElsewhere === true ? urlTree(heartbeatRow.url) : heartbeatRow !== null,
            replicas: Object.fromEntries(replicas.map((replica) => [replica.name, urlTree(replica.url)])),
          },
        ]),
      ),
      ...Object.fromEntries(config.debezium.map(({ name, ...debezium }) => [name, { debezium }])),
    },
    targets: Object.fromEntries(
      config.targets.map(({ name, url, ...rest }) => [name, { ...urlTree(url), ...rest }]),
    ),
    routes: config.routes.map(routeTree),
    apply: config.apply,
    capture: config.capture,
    snapshot: snapshotTree(config.snapshot),
    retry: config.retry,
    schema: schemaTree(config.schema),
    alerts: alertTree(config.alerts),
    log: config.log,
    drainMs: config.drainMs,
    runDir: config.runDir,
  };
  // Through JSON, where a Secret is `***` and what is undefined is left out.
  return stringify(JSON.parse(JSON.stringify(tree)), { lineWidth: 0 });
}

function urlTree(url: DatabaseUrl): object {
  return { url: formatDatabaseUrl(url), tls: tlsTree(url.tls) };
}

function tlsTree(tls: TlsSettings | null): TlsSettings | false {
  return tls ?? false;
}

function snapshotTree({ threadsRunning, rowsPerSecond, hours, ...rest }: SnapshotSettings): object {
  return {
    ...rest,
    threadsRunning: threadsRunning ?? undefined,
    rowsPerSecond: rowsPerSecond ?? undefined,
    hours: hours === null ? undefined : `${timeOf(hours.from)}-${timeOf(hours.to)}`,
  };
}

function schemaTree({ types, ...rest }: SchemaSettings): object {
  return { ...rest, types: Object.fromEntries(types.map(({ column, type }) => [column, type])) };
}

function alertTree({ rules, metrics, channels, ...rest }: AlertSettings): object {
  const groups = [...new Set(rules.map(({ group }) => group))];
  const list = (group: string): object[] => rules.filter((rule) => rule.group === group).map(ruleOfAlert);
  return {
    rules: { migration_alerts: Object.fromEntries(groups.map((group) => [group, list(group)])) },
    metrics: Object.fromEntries(
      metrics.map(({ name, dimension, labels, meaning, staleMs }) => [
        name,
        { unit: dimension, labels, meaning, staleMs },
      ]),
    ),
    ...rest,
    channels: Object.fromEntries(
      channels.map(({ name, ...channel }) => [
        name,
        channel.type === 'webhook'
          ? { ...channel, url: originOf(channel.url), secret: channel.secret ?? undefined }
          : channel.type === 'email'
            ? { ...channel, url: originOf(channel.url) }
            : channel,
      ]),
    ),
  };
}

/** A URL without what may be secret: its user, its path and all that follows. */
function originOf(secret: Secret): string {
  const { protocol, host } = new URL(secret.reveal());
  return `${protocol}//***@${host}/***`;
}

function ruleOfAlert({ name, text, forMs, keepFiringMs, level, message, channels }: AlertRule): object {
  const times = { for: formatDuration(forMs), keepFiring: formatDuration(keepFiringMs) };
  return { name, condition: text, ...times, level, message, channels: channels ?? undefined };
}

function timeOf(minutes: number): string {
  const [hour, minute] = [Math.floor(minutes / 60), minutes % 60];
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
}

function startTree(start: StartFrom): unknown {
  if (start.kind === 'gtid') return { gtid: start.gtid };
  return start.kind === 'file' ? { file: start.file, position: start.position } : start.kind;
}

function routeTree({ from, to, sources, layout, columns, keysAreDisjoint }: RouteSettings): object {
  const { targets, shards, tables } = layout;
  return {
    from,
    sources: sources ?? undefined,
    to,
    ...(targets.length === 1 && shards === null ? { target: targets[0] } : {}),
    ...(targets.length > 1 && shards === null ? { targets } : {}),
    ...(shards === null ? {} : { shards: shardTree(shards, targets) }),
    tables: tables === null ? undefined : tableTree(tables),
    columns: columns === null ? undefined : { ...columns, hashKey: columns.hashKey ?? undefined },
    keys: keysAreDisjoint ? 'disjoint' : undefined,
  };
}

function shardTree(rule: RuleSettings, on: readonly string[]): object {
  if (rule.algorithm === 'slot-map') return rule;
  return { ...without(rule, ['count', 'current', 'nodes']), on };
}

function tableTree({ rule, ...names }: TableSettings): object {
  const count =
    rule.algorithm === 'virtual-nodes'
      ? { count: rule.current }
      : rule.algorithm === 'ring'
        ? { count: rule.nodes.length }
        : {};
  return {
    ...without(rule, ['current', 'nodes']),
    ...count,
    ...names,
  };
}

function without(rule: RuleSettings, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(rule).filter(([name]) => !names.includes(name)));
}

/** Writes a resolved configuration as YAML: the shape of the file, defaults filled in, secrets as `***`. */
import { stringify } from 'yaml';
import type { Config, DatabaseUrl, RouteSettings, TlsSettings } from './config.ts';
import { formatDatabaseUrl } from './database-url.ts';
import { showDuration } from './option-kinds.ts';
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
    sources: Object.fromEntries(
      config.sources.map(({ name, url, startFrom, ...rest }) => [
        name,
        { ...urlTree(url), ...rest, startFrom: startTree(startFrom) },
      ]),
    ),
    targets: Object.fromEntries(
      config.targets.map(({ name, url, ...rest }) => [name, { ...urlTree(url), ...rest }]),
    ),
    routes: config.routes.map(routeTree),
    apply: config.apply,
    capture: config.capture,
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

function startTree(start: StartFrom): unknown {
  if (start.kind === 'gtid') return { gtid: start.gtid };
  return start.kind === 'file' ? { file: start.file, position: start.position } : start.kind;
}

function routeTree({ from, to, targets, shards }: RouteSettings): object {
  if (shards !== null) return { from, to, shards: { ...shards, on: targets } };
  return targets.length === 1 ? { from, to, target: targets[0] } : { from, to, targets };
}

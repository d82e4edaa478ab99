/**
 * What must not change under a running pipeline (the routes of tables that already flowed) is kept in a
 * compacted topic. A changed shard rule would leave rows where no rule looks for them, so it is refused, not guessed.
 */
import { createHmac } from 'node:crypto';
import type { ColumnSettings, Config, RouteSettings } from '../config/config.ts';
import type { LoadedRoute } from '../config/routes.ts';
import type { KafkaLink } from '../drivers/kafka-client.ts';
import { PartitionProducer } from '../drivers/kafka-producer.ts';
import { RowferryError } from '../errors.ts';
import { mayOverlap } from '../model/table-filter.ts';
import type { RouteRule } from '../routing/router.ts';
import type { RuleSpec } from '../routing/rule.ts';
import { readTopic, TopicStore } from './kafka-parts.ts';
import { layoutTopic } from './names.ts';

/** Layouts by `from` of their routes, each as canonical text. */
export type Layout = Readonly<Record<string, readonly string[]>>;

/** By the pattern of each route: what decides which rows stand where, and in which form. */
export function layoutOf(routes: readonly LoadedRoute[]): Layout {
  const layout: Record<string, string[]> = {};
  for (const { route, rule } of routes) (layout[route.from] ??= []).push(textOf(route, rule));
  for (const rules of Object.values(layout)) rules.sort();
  return layout;
}

function textOf(route: RouteSettings, { layout }: RouteRule): string {
  const { targets, shards, tables } = layout;
  const parts = [
    `${route.to} at ${targets.join(', ')} by ${shards === null ? 'every row' : shardsText(shards)}`,
  ];
  if (tables !== null) {
    parts.push(`in tables ${tables.separator ?? '_'}${tables.digits ?? 2} by ${canonical(tables.rule)}`);
  }
  if (route.sources !== null) parts.push(`of sources ${route.sources.join(', ')}`);
  if (route.columns !== null) parts.push(`columns ${columnsText(route.columns)}`);
  return parts.join('; ');
}

/** One text a rule, whatever the order in which its options were written. How many shards there are its targets tell. */
function shardsText(rule: RuleSpec): string {
  return rule.algorithm === 'modulo' ? `modulo of ${rule.by.toLowerCase()}` : canonical(rule);
}

/** The key of hashes counts too, without being told: what was hashed with another one would not be found again. */
function columnsText({ hashKey, ...columns }: ColumnSettings): string {
  const secret = hashKey === null ? {} : { hashKey: fingerprint(hashKey.reveal()) };
  return canonical({ ...columns, ...secret });
}

function fingerprint(secret: string): string {
  return createHmac('sha256', secret).update('rowferry layout').digest('hex').slice(0, 16);
}

function canonical(value: object): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** What a pipeline has stored of its layout. */
export interface StoredLayout {
  readonly layout: Layout;
  /** Routes that were taken away while the pipeline ran on. */
  readonly retired: Layout;
}

/**
 * What differs for tables that both know; tables that are new or gone do not hurt. A new pattern that may take a table of a
 * known one is a change of that table's rules, and a route that comes back lacks what changed meanwhile. Pure.
 */
export function layoutConflicts({ layout: stored, retired }: StoredLayout, wanted: Layout): string[] {
  return Object.entries(wanted).flatMap(([from, rules]) => {
    const before = stored[from];
    const now = rules.join('; ');
    if (retired[from] !== undefined) {
      return [
        `${from}: its route was taken away while the pipeline ran on: its tables lack what changed meanwhile`,
      ];
    }
    if (before !== undefined) {
      return before.join('; ') === now ? [] : [`${from}: was ${before.join('; ')}, now ${now}`];
    }
    return Object.entries(stored)
      .filter(([known]) => mayOverlap(known, from))
      .map(
        ([known, old]) => `${from}: takes tables that ${known} takes: was ${old.join('; ')}, now also ${now}`,
      );
  });
}

/** What is to be stored when the wanted routes are agreed on. Pure. */
export function nextLayout({ layout: stored, retired }: StoredLayout, wanted: Layout): StoredLayout {
  const gone = Object.entries(stored).filter(([from]) => wanted[from] === undefined);
  return { layout: wanted, retired: { ...retired, ...Object.fromEntries(gone) } };
}

const KEY = 'layout';

/** Compares with the stored layout and stores what is new. Throws ROWFERRY_CONFIG_STATE_MISMATCH with every difference. */
export async function agreeOnLayout(
  link: KafkaLink,
  config: Config,
  routes: readonly LoadedRoute[],
  signal: AbortSignal,
): Promise<void> {
  const topic = layoutTopic(config);
  const entries = await readTopic(link, topic, signal);
  const last = entries.filter(({ key }) => key === KEY).at(-1);
  const stored: StoredLayout = {
    layout: {},
    retired: {},
    ...(last === undefined ? {} : (JSON.parse(last.value) as Partial<StoredLayout>)),
  };
  const wanted = layoutOf(routes);
  const conflicts = layoutConflicts(stored, wanted);
  if (conflicts.length > 0) {
    throw new RowferryError(
      'ROWFERRY_CONFIG_STATE_MISMATCH',
      `routes changed under a pipeline that has run:\n${conflicts.join('\n')}`,
      {
        where: { topic },
        hint:
          'rows already applied would stay where the old rule put them: restore the old routes, or run the new layout as a ' +
          'pipeline with another "name" into empty targets',
      },
    );
  }
  const { layout, retired } = nextLayout(stored, wanted);
  if (canonical({ layout, retired }) === canonical({ layout: stored.layout, retired: stored.retired }))
    return;
  const producer = new PartitionProducer(link, {
    maxMessageBytes: config.kafka.maxMessageBytes,
    compression: 'none',
    signal,
  });
  try {
    await new TopicStore(link, producer, topic).append(KEY, JSON.stringify({ v: 1, layout, retired }));
  } finally {
    await producer.close();
  }
}

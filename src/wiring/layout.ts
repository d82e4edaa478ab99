/**
 * What must not change under a running pipeline (the routes of tables that already flowed) is kept in a
 * compacted topic. A changed shard rule would leave rows where no rule looks for them, so it is refused, not guessed.
 */
import type { Config, RouteSettings } from '../config/config.ts';
import type { KafkaLink } from '../drivers/kafka-client.ts';
import { PartitionProducer } from '../drivers/kafka-producer.ts';
import { RowferryError } from '../errors.ts';
import { readTopic, TopicStore } from './kafka-parts.ts';
import { layoutTopic } from './names.ts';

/** Layouts by source table, each as canonical text. */
export type Layout = Readonly<Record<string, readonly string[]>>;

export function layoutOf(routes: readonly RouteSettings[]): Layout {
  const layout: Record<string, string[]> = {};
  for (const { from, to, targets, shards } of routes) {
    const rule = shards === null ? 'every row' : `${shards.algorithm} of ${shards.by.toLowerCase()}`;
    (layout[from] ??= []).push(`${to} at ${targets.join(', ')} by ${rule}`);
  }
  for (const rules of Object.values(layout)) rules.sort();
  return layout;
}

/** What differs for tables that both know; tables that are new or gone do not hurt. Pure. */
export function layoutConflicts(stored: Layout, wanted: Layout): string[] {
  return Object.entries(wanted).flatMap(([from, rules]) => {
    const before = stored[from];
    if (before === undefined || before.join('; ') === rules.join('; ')) return [];
    return [`${from}: was ${before.join('; ')}, now ${rules.join('; ')}`];
  });
}

const KEY = 'layout';

/** Compares with the stored layout and stores what is new. Throws ROWFERRY_CONFIG_STATE_MISMATCH with every difference. */
export async function agreeOnLayout(link: KafkaLink, config: Config, signal: AbortSignal): Promise<void> {
  const topic = layoutTopic(config);
  const entries = await readTopic(link, topic, signal);
  const last = entries.filter(({ key }) => key === KEY).at(-1);
  const stored = last === undefined ? {} : (JSON.parse(last.value) as { readonly layout: Layout }).layout;
  const wanted = layoutOf(config.routes);
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
  const merged = { ...stored, ...wanted };
  if (JSON.stringify(merged) === JSON.stringify(stored)) return;
  const producer = new PartitionProducer(link, {
    maxMessageBytes: config.kafka.maxMessageBytes,
    compression: 'none',
    signal,
  });
  try {
    await new TopicStore(link, producer, topic).append(KEY, JSON.stringify({ v: 1, layout: merged }));
  } finally {
    await producer.close();
  }
}

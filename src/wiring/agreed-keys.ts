/**
 * Declared keys decide in which partition a row's changes stand (I-2), so that they must not change under a topic that holds
 * some. They are kept in the topic of the layout, a record for each source.
 */
import type { TableFacts } from '../capture/preflight-facts.ts';
import type { Config, SourceSettings } from '../config/config.ts';
import { topicOffsets } from '../drivers/kafka-admin.ts';
import type { KafkaLink } from '../drivers/kafka-client.ts';
import type { PartitionProducer } from '../drivers/kafka-producer.ts';
import { RowferryError } from '../errors.ts';
import type { DeclaredKeys } from '../model/declared-key.ts';
import { tableName } from '../model/table.ts';
import { readTopic, TopicStore } from './kafka-parts.ts';
import { layoutTopic, sourceTopics } from './names.ts';

/** A captured table, as far as its key goes. */
export type KeyedTable = Pick<TableFacts, 'schema' | 'name' | 'primaryKey'>;

/**
 * What differs while the topic holds changes. Of a table that had neither a declared key nor a whole primary key it holds none.
 * Pure.
 */
export function keyConflicts(
  agreed: DeclaredKeys,
  wanted: DeclaredKeys,
  tables: readonly KeyedTable[],
): string[] {
  const captured = new Map(tables.map((table) => [tableName(table), table]));
  return [...new Set([...captured.keys(), ...Object.keys(wanted)])].flatMap((name) => {
    const [before, now] = [agreed[name], wanted[name]];
    if (textOf(before) === textOf(now)) return [];
    // A key that a table without one gets is a statement in the binlog, which waits for all rows before it.
    if (before?.length === 0 && now === undefined) return [];
    if (before === undefined && captured.get(name)?.primaryKey?.partial !== false) return [];
    return [`${name}: was keyed by ${textOf(before)}, now by ${textOf(now)}`];
  });
}

/** The order counts: it is part of what chooses the partition. */
function textOf(key: readonly string[] | undefined): string {
  if (key?.length === 0) return 'nothing (`keyless: append`)';
  return key === undefined ? 'its primary key' : `(${key.join(', ').toLowerCase()})`;
}

/** Tables without a key stand among the declared ones with no column: the whole row chooses the partition. */
function withKeyless(declared: DeclaredKeys, tables: readonly KeyedTable[]): DeclaredKeys {
  const names = tables.filter(({ primaryKey }) => primaryKey === null).map((table) => tableName(table));
  return { ...Object.fromEntries(names.map((name) => [name, []])), ...declared };
}

/**
 * Compares with the stored keys and stores what is new; only the leader asks, before it publishes. Throws
 * ROWFERRY_CONFIG_STATE_MISMATCH with every difference.
 */
export async function agreeOnKeys(
  link: KafkaLink,
  producer: PartitionProducer,
  config: Config,
  { name, keys: declared, keyless }: Pick<SourceSettings, 'name' | 'keys' | 'keyless'>,
  tables: readonly KeyedTable[],
  signal: AbortSignal,
): Promise<void> {
  const topic = layoutTopic(config);
  const keys = keyless === 'append' ? withKeyless(declared, tables) : declared;
  const record = `keys ${name}`;
  const last = (await readTopic(link, topic, signal)).filter(({ key }) => key === record).at(-1);
  const agreed = last === undefined ? {} : (JSON.parse(last.value) as { readonly keys: DeclaredKeys }).keys;
  const ranges = await topicOffsets(link, sourceTopics(config, name).changes);
  const isLive = ranges.some(({ high }) => high > 0);
  const conflicts = isLive ? keyConflicts(agreed, keys, tables) : [];
  if (conflicts.length > 0) {
    throw new RowferryError(
      'ROWFERRY_CONFIG_STATE_MISMATCH',
      `keys of tables changed under a pipeline that has run:\n${conflicts.join('\n')}`,
      {
        where: { source: name, topic },
        hint:
          'changes of one row would go to two partitions and overtake each other: restore the old keys, or run the new ones as ' +
          'a pipeline with another "name" into empty targets',
      },
    );
  }
  // The key of a table that is left out stays known: its changes are still in the topic.
  const next = isLive ? { ...agreed, ...keys } : keys;
  if (JSON.stringify(next) === JSON.stringify(agreed)) return;
  await new TopicStore(link, producer, topic).append(record, JSON.stringify({ v: 1, keys: next }));
}

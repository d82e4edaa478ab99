/** Topics that Debezium writes: which there are, and how apply reads them. */
import { DebeziumFilter } from '../apply/debezium-filter.ts';
import type { TopicReader } from '../apply/topic-reader.ts';
import type { Config, DebeziumSettings } from '../config/config.ts';
import { parseTopicPattern } from '../config/topic-pattern.ts';
import { findCompactedTopic, listTopics } from '../drivers/kafka-admin.ts';
import type { KafkaLink } from '../drivers/kafka-client.ts';
import { RowferryError } from '../errors.ts';
import type { DebeziumFormat } from '../wire/debezium-record.ts';
import { DebeziumDecoder } from '../wire/debezium-record.ts';

/** Matches the topics of one source. A TypeError for a pattern that the configuration should have refused. */
function matcherOf({ topics }: DebeziumSettings): (topic: string) => boolean {
  const patterns = topics.map((text) => {
    const pattern = parseTopicPattern(text);
    if ('wrong' in pattern) throw new TypeError(`topic pattern ${text} is not ${pattern.wrong}`);
    return pattern.value;
  });
  return (topic) => patterns.some(({ matches }) => matches(topic));
}

/** The source that reads a topic; undefined when Debezium has no part in it. */
export function debeziumSourceOf(config: Config): (topic: string) => DebeziumSettings | undefined {
  const sources = config.debezium.map((settings) => ({ settings, matches: matcherOf(settings) }));
  return (topic) => sources.find(({ matches }) => matches(topic))?.settings;
}

/**
 * The topics that sources of Debezium have now, in order of names. A topic appears with the first row of its table, so there
 * may be none yet. Those in `checked` are taken as good. Throws ROWFERRY_KAFKA_REFUSED for a compacted one: a move whose record vanished would leave its row behind.
 */
export async function debeziumTopics(
  link: KafkaLink,
  config: Config,
  checked: readonly string[] = [],
): Promise<{ readonly topic: string; readonly source: DebeziumSettings }[]> {
  if (config.debezium.length === 0) return [];
  const sourceOf = debeziumSourceOf(config);
  const found = (await listTopics(link)).filter((topic) => sourceOf(topic) !== undefined);
  const added = found.filter((topic) => !checked.includes(topic));
  const compacted = added.length === 0 ? undefined : await findCompactedTopic(link, added);
  if (compacted !== undefined) {
    throw new RowferryError(
      'ROWFERRY_KAFKA_REFUSED',
      `topic ${compacted} is compacted: changes of a row would vanish from it`,
      { where: { topic: compacted }, hint: 'set its cleanup.policy to delete' },
    );
  }
  return found
    .flatMap((topic) => {
      const source = sourceOf(topic);
      return source === undefined ? [] : [{ topic, source }];
    })
    .toSorted((a, b) => (a.topic < b.topic ? -1 : 1));
}

export function debeziumReader(format: DebeziumFormat): TopicReader {
  const decoder = new DebeziumDecoder(format);
  return {
    decode: (record) => decoder.decode(record),
    filterFrom: (start) => new DebeziumFilter(start),
    // A connector with exactly-once support writes in transactions, whose ends take offsets.
    allowsHoles: true,
    hasMarkers: false,
  };
}

/** Names of everything that a pipeline owns in Kafka. */
import type { Config, KafkaSettings } from '../config/config.ts';

interface SourceTopics {
  /** Changes and markers, `kafka.partitions` partitions. */
  readonly changes: string;
  /** Claims and checkpoints, one partition, compacted. */
  readonly checkpoints: string;
  /** Group whose only member with a partition is the active capture. */
  readonly captureGroup: string;
}

export function sourceTopics(config: Config, source: string): SourceTopics {
  const base = `${config.kafka.topicPrefix}.${source}`;
  return { changes: base, checkpoints: `${base}.checkpoints`, captureGroup: `${base}.capture` };
}

/** What every member of a pipeline must agree on, one partition, compacted. */
export function layoutTopic(config: Config): string {
  return `${config.kafka.topicPrefix}.layout`;
}

export function applyGroup(config: Config): string {
  return `${config.kafka.topicPrefix}.apply`;
}

/** Settings of the topic that holds changes. */
export function changeTopicConfig(kafka: KafkaSettings): Record<string, string> {
  return {
    'cleanup.policy': 'delete',
    'retention.ms': String(kafka.retentionMs),
    'retention.bytes': '-1',
    'max.message.bytes': String(kafka.maxMessageBytes),
    ...durability(kafka),
  };
}

/** Settings of the small compacted topics; segments roll often enough for compaction to get at them. */
export function compactedTopicConfig(kafka: KafkaSettings): Record<string, string> {
  return {
    'cleanup.policy': 'compact',
    'segment.ms': '3600000',
    'min.cleanable.dirty.ratio': '0.1',
    ...durability(kafka),
  };
}

function durability(kafka: KafkaSettings): Record<string, string> {
  return kafka.replicationFactor >= 3 ? { 'min.insync.replicas': '2' } : {};
}

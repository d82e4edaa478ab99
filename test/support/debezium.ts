/** Debezium's MySQL connector for one test: it captures a database of a source into topics of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { KafkaConnect } from '../../scripts/sandbox/kafka-connect.ts';
import type { MysqlDatabase } from './servers.ts';
import { testServers } from './servers.ts';

export interface DebeziumOptions {
  readonly source: MysqlDatabase;
  readonly partitions: number;
  readonly worker?: Readonly<Record<string, string>>;
  /** Connectors by the start of their topics' names, with the properties in which they differ from the usual ones. */
  readonly connectors: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const JSON_CONVERTER = 'org.apache.kafka.connect.json.JsonConverter';

/** A connector that is not started yet; it is killed with the test. */
export async function debeziumConnect(test: TestContext, options: DebeziumOptions): Promise<KafkaConnect> {
  const { source, partitions } = options;
  const folder = mkdtempSync(join(tmpdir(), 'rowferry-debezium-'));
  const { host, port, user, password } = source.server;
  const connect = await KafkaConnect.prepare({
    folder,
    brokers: testServers().brokers,
    worker: {
      'key.converter': JSON_CONVERTER,
      'value.converter': JSON_CONVERTER,
      'value.converter.replace.null.with.default': 'false',
      'offset.flush.interval.ms': '2000',
      ...options.worker,
    },
    connectors: Object.fromEntries(
      Object.entries(options.connectors).map(([prefix, properties]) => [
        prefix,
        {
          'connector.class': 'io.debezium.connector.mysql.MySqlConnector',
          'tasks.max': '1',
          'database.hostname': host,
          'database.port': String(port),
          'database.user': user,
          'database.password': password,
          'database.server.id': String(1_500_000_000 + Math.floor(Math.random() * 1e8)),
          'topic.prefix': prefix,
          'database.include.list': source.name,
          'schema.history.internal': 'io.debezium.storage.file.history.FileSchemaHistory',
          'schema.history.internal.file.filename': join(folder, `${prefix}.history`),
          'schema.history.internal.store.only.captured.databases.ddl': 'true',
          'topic.creation.default.partitions': String(partitions),
          'topic.creation.default.replication.factor': '1',
          'bigint.unsigned.handling.mode': 'precise',
          // Years are as they are written: 0000 would become 2000.
          'enable.time.adjuster': 'false',
          'poll.interval.ms': '50',
          ...properties,
        },
      ]),
    ),
  });
  test.onTestFinished(async () => {
    await connect.kill();
    if (test.task.result?.state === 'fail') {
      process.stderr.write(`"${test.task.name}" failed: ${connect.logFile} is kept\n`);
      return;
    }
    rmSync(folder, { recursive: true, force: true });
  });
  return connect;
}

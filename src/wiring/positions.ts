/** Saved positions and replays, for the command line: all of it is records in the checkpoint topic. */
import type { CheckpointState, ClaimWish } from '../capture/checkpoint-log.ts';
import { CheckpointWriter, readCheckpointLog } from '../capture/checkpoint-log.ts';
import { acknowledgedAfter, resolveReplay } from '../capture/replay.ts';
import { rewind } from '../capture/table-flow.ts';
import type { Config } from '../config/config.ts';
import { waitForKafka } from '../drivers/kafka-admin.ts';
import type { KafkaLink } from '../drivers/kafka-client.ts';
import { PartitionProducer } from '../drivers/kafka-producer.ts';
import { RowferryError } from '../errors.ts';
import type { Position } from '../model/position.ts';
import { answerWithin } from '../runtime/deadline.ts';
import { connectKafka, readTopic, TopicStore } from './kafka-parts.ts';
import { sourceTopics } from './names.ts';
import { localUser } from './local-user.ts';
import { silentLog } from './silent-log.ts';

const KAFKA_PATIENCE_MS = 15_000;
const KAFKA_HINT = 'look at the brokers and the network';

interface SavedPositions {
  readonly source: string;
  readonly state: CheckpointState;
}

export async function savedPositions(
  config: Config,
  source: string | undefined,
  signal: AbortSignal,
): Promise<SavedPositions[]> {
  const names =
    source === undefined ? config.sources.map(({ name }) => name) : [chooseSource(config, source)];
  return await withKafka(config, signal, async (link) => {
    const answers: SavedPositions[] = [];
    for (const name of names) {
      const entries = await readTopic(link, sourceTopics(config, name).checkpoints, signal);
      answers.push({ source: name, state: readCheckpointLog(entries) });
    }
    return answers;
  });
}

export interface ReplayRequest {
  /** `file:offset`, `gtid:SET` or a time. */
  readonly from: string;
  /** Also where it reads acknowledged statements once more. */
  readonly force: boolean;
  /** Who asks; this user where that is not known. */
  readonly by?: string;
}

/**
 * C3: a claim with the next epoch, durable before anything is published under it; never forward of the saved position. Throws
 * ROWFERRY_SOURCE_DDL with the acknowledged statements that it would read once more, before anything is done.
 */
export async function requestReplay(
  config: Config,
  source: string | undefined,
  { from, force, by = localUser() }: ReplayRequest,
  signal: AbortSignal,
): Promise<{ readonly source: string; readonly epoch: number; readonly position: Position }> {
  const name = chooseSource(config, source);
  return await withStore(config, name, signal, async (store) => {
    const decide = (state: CheckpointState): ClaimWish => {
      const start = resolveReplay(name, from, state);
      const again = force ? [] : acknowledgedAfter(start, state);
      if (again.length > 0) throw readsAgain(name, start, again);
      const flow = rewind(state.flow, start);
      return { epoch: state.epoch + 1, start, flow, by, asked: 'replay', timeMs: Date.now() };
    };
    const { claim } = await CheckpointWriter.claim(store, decide, signal);
    return { source: name, epoch: claim.epoch, position: claim.start! };
  });
}

function readsAgain(source: string, start: Position, statements: readonly string[]): RowferryError {
  return new RowferryError(
    'ROWFERRY_SOURCE_DDL',
    `a replay from ${start.file}:${start.offset} brings rows as they were before statements that were acknowledged:\n${statements.join('\n')}`,
    {
      where: { source },
      hint: 'such rows have the old names of columns and tables, the old types, and rows that were emptied away: give routes and target tables what they need for them (docs/operations.md, Going back), then say --force (over HTTP: force)',
    },
  );
}

export function chooseSource(config: Config, wanted: string | undefined): string {
  const names = config.sources.map(({ name }) => name);
  const chosen = wanted ?? (names.length === 1 ? names[0] : undefined);
  if (chosen !== undefined && names.includes(chosen)) return chosen;
  throw new RowferryError(
    'ROWFERRY_CONFIG_INVALID',
    chosen === undefined
      ? names.length === 0
        ? 'this pipeline captures no source: positions are saved by whoever captures'
        : 'several sources: which one?'
      : `there is no source ${chosen} that rowferry captures`,
    {
      hint: names.length === 0 ? 'ask Debezium' : `say --source with one of: ${names.join(', ')}`,
    },
  );
}

/** Opens the checkpoint topic of a source for appending. */
export async function withStore<T>(
  config: Config,
  source: string,
  signal: AbortSignal,
  work: (store: TopicStore) => Promise<T>,
): Promise<T> {
  return await withKafka(config, signal, async (link) => {
    const producer = new PartitionProducer(link, {
      maxMessageBytes: config.kafka.maxMessageBytes,
      compression: 'none',
      signal,
    });
    try {
      return await work(new TopicStore(link, producer, sourceTopics(config, source).checkpoints));
    } finally {
      await producer.close();
    }
  });
}

export async function withKafka<T>(
  config: Config,
  signal: AbortSignal,
  work: (link: KafkaLink) => Promise<T>,
): Promise<T> {
  const link = connectKafka(config, 'cli', silentLog);
  let last: RowferryError | undefined;
  await answerWithin(
    signal,
    KAFKA_PATIENCE_MS,
    async (patience) => await waitForKafka(link, patience, (error) => (last = error)),
    () => last ?? new RowferryError('ROWFERRY_KAFKA_LINK', 'Kafka does not answer', { hint: KAFKA_HINT }),
  );
  return await work(link);
}

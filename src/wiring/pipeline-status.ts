/** What a pipeline has saved and, when its daemon runs on this machine, what that does now. */
import type { ShownHeld } from '../capture/capture-progress.ts';
import type { CheckpointState } from '../capture/checkpoint-log.ts';
import { readCheckpointLog } from '../capture/checkpoint-log.ts';
import type { Config } from '../config/config.ts';
import { topicOffsets } from '../drivers/kafka-admin.ts';
import type { PartitionRange } from '../drivers/kafka-admin.ts';
import type { KafkaLink } from '../drivers/kafka-client.ts';
import { counted } from '../model/counted.ts';
import { formatPosition } from '../model/position.ts';
import type { ParkedEntry, Target, Watermark } from '../targets/target.ts';
import { makeTargets } from './apply-role.ts';
import type { DaemonStatus, SourceStatus } from './daemon-status.ts';
import { debeziumSourceOf, debeziumTopics } from './debezium-topics.ts';
import { readTopic } from './kafka-parts.ts';
import type { Away } from './look.ts';
import { awayOf, lookAtKafka, lookAtTargets, orNone } from './look.ts';
import { sourceTopics } from './names.ts';
import type { Pause } from './pauses.ts';
import { silentLog } from './silent-log.ts';
import { readStatuses } from './status-file.ts';

interface SourceState {
  readonly name: string;
  /** Debezium captures it: of positions only Debezium knows. */
  readonly isDebezium: boolean;
  readonly state: string | null;
  /** Null while it is not known. */
  readonly epoch: number | null;
  readonly position: string | null;
  readonly savedMs: number | null;
  readonly error: string | null;
  /** Tables that are copied or were: how many in all, and how many of them are at the targets. */
  readonly copies: { readonly tables: number; readonly done: number; readonly waits: string | null };
  /** Tables that wait for an operator since a statement (`file:end`). */
  readonly held: readonly Omit<ShownHeld, 'sinceMs'>[];
}

interface PartitionSummary {
  readonly topic: string;
  readonly partition: number;
  /** Smallest watermark of the targets; null while one has none or does not answer. */
  readonly next: number | null;
  /** Null while Kafka does not answer. */
  readonly high: number | null;
  readonly behind: number | null;
  /** Null while a target does not answer. */
  readonly parked: number | null;
  readonly lagMs: number | null;
  readonly state: string | null;
  readonly error: string | null;
}

interface DaemonSummary {
  readonly pid: number;
  readonly role: string;
  readonly http: string | null;
  readonly rowsPerSecond: number;
  readonly rows: number;
  readonly lagMs: number | null;
  /** Parts that wait for a server. */
  readonly outages: DaemonStatus['outages'];
  /** Parts that an operator paused: `apply`, `capture main`. */
  readonly pauses: readonly (Pause & { readonly part: string })[];
}

export interface PipelineStatus {
  readonly name: string;
  readonly timeMs: number;
  /** Those that run on this machine. */
  readonly daemons: readonly DaemonSummary[];
  readonly sources: readonly SourceState[];
  readonly partitions: readonly PartitionSummary[];
  /** Servers that did not answer: what they know is null here. */
  readonly away: readonly Away[];
}

/** `daemons` are those of this machine that run now. What does not answer within a few seconds is named in `away`. */
export async function pipelineStatus(
  config: Config,
  signal: AbortSignal,
  daemons: readonly DaemonStatus[] = readStatuses(config),
): Promise<PipelineStatus> {
  const [targets, kafka] = await Promise.all([lookAtAllTargets(config, signal), askKafka(config, signal)]);
  const captures = daemons.flatMap((daemon) => daemon.captures);
  const live = daemons.flatMap((daemon) => daemon.partitions);
  const debeziumOf = debeziumSourceOf(config);
  const seen = [...kafka.debezium, ...[...live, ...targets.marks].map(({ topic }) => topic)];
  const fed = [...new Set(seen)].filter((topic) => debeziumOf(topic) !== undefined).toSorted();
  const topics = [...config.sources.map(({ name }) => sourceTopics(config, name).changes), ...fed];
  return {
    name: config.name,
    timeMs: Date.now(),
    daemons: daemons.map(summaryOf),
    sources: [
      ...config.sources.map(({ name }) => ownSource(name, captures, kafka)),
      ...config.debezium.map(({ name }) =>
        debeziumSource(name, fed.filter((topic) => debeziumOf(topic)?.name === name).length),
      ),
    ],
    partitions: topics.flatMap((topic) => partitionsOf(topic, live, targets, kafka)),
    away: [...kafka.away, ...targets.away],
  };
}

function ownSource(name: string, captures: readonly SourceStatus[], kafka: KafkaSeen): SourceState {
  const capture = activeCapture(captures, name);
  // One that stands by or begins has read nothing of this yet: what is saved tells.
  const known = capture?.state === 'standby' || capture?.state === 'starting' ? undefined : capture;
  const saved = kafka.checkpoints.get(name) ?? null;
  const position =
    saved === null ? (known?.position ?? null) : saved.position && formatPosition(saved.position);
  return {
    name,
    isDebezium: false,
    state: capture?.state ?? null,
    epoch: saved?.epoch ?? null,
    position,
    savedMs: saved?.savedMs ?? known?.savedMs ?? null,
    error: capture?.error ?? null,
    copies: copiesOf(known?.copies ?? saved?.snapshot.tables ?? [], known?.copyWaits ?? null),
    held: heldNow(known, saved),
  };
}

function debeziumSource(name: string, topics: number): SourceState {
  return {
    name,
    isDebezium: true,
    state: `${counted(topics, 'topic')} of Debezium`,
    epoch: null,
    position: null,
    savedMs: null,
    error: null,
    copies: { tables: 0, done: 0, waits: null },
    held: [],
  };
}

/** The partitions of a topic that Kafka, a target or a daemon knows. */
function partitionsOf(
  topic: string,
  live: DaemonStatus['partitions'],
  targets: TargetsSeen,
  kafka: KafkaSeen,
): PartitionSummary[] {
  const high = new Map(kafka.offsets.get(topic)?.map((range) => [range.partition, range.high]));
  const known = [...live, ...targets.marks].filter((found) => found.topic === topic);
  const numbers = new Set([...high.keys(), ...known.map(({ partition }) => partition)]);
  return [...numbers]
    .toSorted((a, b) => a - b)
    .map((partition) => {
      const isMine = (found: { topic: string; partition: number }): boolean =>
        found.topic === topic && found.partition === partition;
      const next = smallest(targets.marks.filter(isMine), targets.number);
      const end = high.get(partition) ?? null;
      const now = live.find(isMine);
      return {
        topic,
        partition,
        next,
        high: end,
        behind: next === null || end === null ? null : end - next,
        parked: targets.areAllThere ? targets.parked.filter(isMine).length : null,
        lagMs: now?.lagMs ?? null,
        state: now?.state ?? null,
        error: now?.error ?? null,
      };
    });
}

interface TargetsSeen {
  readonly number: number;
  readonly areAllThere: boolean;
  readonly marks: readonly Watermark[];
  readonly parked: readonly ParkedEntry[];
  readonly away: readonly Away[];
}

async function lookAtAllTargets(config: Config, signal: AbortSignal): Promise<TargetsSeen> {
  const targets = makeTargets(config, silentLog);
  try {
    const read = async (target: Target): Promise<Pick<TargetsSeen, 'marks' | 'parked'>> => {
      return { marks: await orNone(target.watermarks()), parked: await orNone(target.parked()) };
    };
    const { answers, away } = await lookAtTargets(targets, read, signal);
    return {
      number: targets.length,
      areAllThere: away.length === 0,
      marks: answers.flatMap((answer) => answer?.marks ?? []),
      parked: answers.flatMap((answer) => answer?.parked ?? []),
      away,
    };
  } finally {
    await Promise.all(targets.map(async (target) => await target.close()));
  }
}

interface KafkaSeen {
  /** By source; absent where it could not be read. */
  readonly checkpoints: ReadonlyMap<string, CheckpointState>;
  /** By topic; absent where there is none. */
  readonly offsets: ReadonlyMap<string, readonly PartitionRange[]>;
  /** Topics of Debezium. */
  readonly debezium: readonly string[];
  readonly away: readonly Away[];
}

async function askKafka(config: Config, signal: AbortSignal): Promise<KafkaSeen> {
  const checkpoints = new Map<string, CheckpointState>();
  const offsets = new Map<string, readonly PartitionRange[]>();
  const debezium: string[] = [];
  const away: Away[] = [];
  const read = async (link: KafkaLink, bounded: AbortSignal): Promise<void> => {
    debezium.push(...(await debeziumTopics(link, config)).map(({ topic }) => topic));
    const sources = config.sources.map(({ name }) => ({ name, ...sourceTopics(config, name) }));
    const looks = await Promise.allSettled([
      ...sources.map(async ({ name, checkpoints: topic }) => {
        checkpoints.set(name, readCheckpointLog(await readTopic(link, topic, bounded)));
      }),
      ...[...sources.map(({ changes }) => changes), ...debezium].map(async (topic) => {
        offsets.set(topic, await topicOffsets(link, topic));
      }),
    ]);
    for (const look of looks) if (look.status === 'rejected') throw look.reason;
  };
  try {
    await lookAtKafka(config, read, signal);
  } catch (error) {
    signal.throwIfAborted();
    away.push(awayOf('kafka', error));
  }
  return { checkpoints, offsets, debezium, away };
}

/** Of several captures of a source the one that is at work. */
function activeCapture(captures: readonly SourceStatus[], name: string): SourceStatus | undefined {
  const found = captures.filter(({ source }) => source === name);
  return found.find(({ state }) => state !== 'standby') ?? found[0];
}

function summaryOf(status: DaemonStatus): DaemonSummary {
  const { pid, role, http, rowsPerSecond, rows, lagMs, outages, pause, captures } = status;
  const pauses = [
    ...(pause === null ? [] : [{ part: 'apply', ...pause }]),
    ...captures.flatMap(({ source, pause: own }) =>
      own === null ? [] : [{ part: `capture ${source}`, ...own }],
    ),
  ];
  return { pid, role, http, rowsPerSecond, rows, lagMs, outages, pauses };
}

/** The smallest `next` of all targets; null while a target has none or does not tell. */
function smallest(marks: readonly Watermark[], targets: number): number | null {
  return marks.length < targets ? null : Math.min(...marks.map(({ next }) => next));
}

/** What is saved; the capture tells what it waits for when it is there. */
function heldOf({ flow, accepted }: CheckpointState): SourceState['held'] {
  return flow.held.map((held) => {
    const { table, statement, why } = held;
    const { timeMs, by } = accepted.ofHeld(held) ?? { timeMs: 0, by: null };
    return by === null
      ? { table, statement, why, acknowledged: null, waits: null }
      : { table, statement, why, acknowledged: { timeMs, by }, waits: 'for a capture' };
  });
}

function heldNow(known: SourceStatus | undefined, saved: CheckpointState | null): SourceState['held'] {
  if (known !== undefined) return heldBy(known, saved);
  return saved === null ? [] : heldOf(saved);
}

/** A running capture reads of an acknowledgement within seconds; the log tells at once. */
function heldBy({ held }: SourceStatus, state: CheckpointState | null): SourceState['held'] {
  const saved = new Map(
    (state === null ? [] : heldOf(state)).map((entry) => [`${entry.table} ${entry.statement}`, entry]),
  );
  return held.map(({ table, statement, why, acknowledged, waits }) => {
    const inLog = saved.get(`${table} ${statement}`)?.acknowledged ?? null;
    return {
      table,
      statement,
      why,
      acknowledged: acknowledged ?? inLog,
      waits: waits ?? (inLog === null ? null : 'until the capture has read of it, within seconds'),
    };
  });
}

function copiesOf(
  tables: readonly { readonly state: string }[],
  waits: string | null,
): SourceState['copies'] {
  return { tables: tables.length, done: tables.filter(({ state }) => state === 'done').length, waits };
}

/** What a pipeline has saved and, when its daemon runs on this machine, what that does now. */
import type { ShownHeld } from '../capture/capture-progress.ts';
import type { CheckpointState } from '../capture/checkpoint-log.ts';
import { readCheckpointLog } from '../capture/checkpoint-log.ts';
import type { Config } from '../config/config.ts';
import { topicOffsets } from '../drivers/kafka-admin.ts';
import { formatPosition } from '../model/position.ts';
import type { Watermark } from '../targets/target.ts';
import { makeTargets } from './apply-role.ts';
import { debeziumTopics } from './debezium-topics.ts';
import { connectKafka, readTopic } from './kafka-parts.ts';
import { sourceTopics } from './names.ts';
import { silentLog } from './silent-log.ts';
import type { DaemonStatus, SourceStatus } from './daemon-status.ts';
import { readStatuses } from './status-file.ts';

export interface SourceState {
  readonly name: string;
  /** Debezium captures it: of positions only Debezium knows. */
  readonly isDebezium: boolean;
  readonly state: string | null;
  readonly epoch: number;
  readonly position: string | null;
  readonly savedMs: number | null;
  readonly error: string | null;
  /** Tables that are copied or were: how many in all, and how many of them are at the targets. */
  readonly copies: { readonly tables: number; readonly done: number; readonly waits: string | null };
  /** Tables that wait for an operator since a statement (`file:end`). */
  readonly held: readonly Omit<ShownHeld, 'sinceMs'>[];
}

export interface PartitionSummary {
  readonly topic: string;
  readonly partition: number;
  /** Smallest watermark of the targets. */
  readonly next: number | null;
  readonly high: number;
  readonly behind: number | null;
  readonly parked: number;
  readonly lagMs: number | null;
  readonly state: string | null;
  readonly error: string | null;
}

export interface DaemonSummary {
  readonly pid: number;
  readonly role: string;
  readonly http: string | null;
  readonly rowsPerSecond: number;
  readonly rows: number;
  readonly lagMs: number | null;
  /** Parts that wait for a server. */
  readonly outages: DaemonStatus['outages'];
}

export interface PipelineStatus {
  readonly name: string;
  readonly timeMs: number;
  /** Those that run on this machine. */
  readonly daemons: readonly DaemonSummary[];
  readonly sources: readonly SourceState[];
  readonly partitions: readonly PartitionSummary[];
}

/** `daemons` are those of this machine that run now. */
export async function pipelineStatus(
  config: Config,
  signal: AbortSignal,
  daemons: readonly DaemonStatus[] = readStatuses(config),
): Promise<PipelineStatus> {
  const captures = daemons.flatMap((daemon) => daemon.captures);
  const live = daemons.flatMap((daemon) => daemon.partitions);
  const link = connectKafka(config, 'cli', silentLog);
  const targets = makeTargets(config, silentLog);
  try {
    for (const target of targets) await target.open(signal);
    const marks = (await Promise.all(targets.map(async (target) => await target.watermarks()))).flat();
    const parked = (await Promise.all(targets.map(async (target) => await target.parked()))).flat();
    const sources: SourceState[] = [];
    const partitions: PartitionSummary[] = [];
    const addPartitions = async (topic: string): Promise<void> => {
      for (const { partition, high } of await topicOffsets(link, topic)) {
        const next = smallest(marks, topic, partition, targets.length);
        const now = live.find((found) => found.topic === topic && found.partition === partition);
        partitions.push({
          topic,
          partition,
          next,
          high,
          behind: next === null ? null : high - next,
          parked: parked.filter((entry) => entry.topic === topic && entry.partition === partition).length,
          lagMs: now?.lagMs ?? null,
          state: now?.state ?? null,
          error: now?.error ?? null,
        });
      }
    };
    for (const { name } of config.sources) {
      const { changes, checkpoints } = sourceTopics(config, name);
      const state = readCheckpointLog(await readTopic(link, checkpoints, signal));
      const capture = activeCapture(captures, name);
      // One that stands by or begins has read nothing of this yet: what is saved tells.
      const known = capture?.state === 'standby' || capture?.state === 'starting' ? undefined : capture;
      sources.push({
        name,
        isDebezium: false,
        state: capture?.state ?? null,
        epoch: state.epoch,
        position: state.position === null ? null : formatPosition(state.position),
        savedMs: state.savedMs,
        error: capture?.error ?? null,
        copies: copiesOf(known?.copies ?? state.snapshot.tables, known?.copyWaits ?? null),
        held: known === undefined ? heldOf(state) : heldBy(known, state),
      });
      await addPartitions(changes);
    }
    const fed = await debeziumTopics(link, config);
    for (const { name } of config.debezium) {
      const topics = fed.filter(({ source }) => source.name === name);
      sources.push({
        name,
        isDebezium: true,
        state: `${topics.length} topics of Debezium`,
        epoch: 0,
        position: null,
        savedMs: null,
        error: null,
        copies: { tables: 0, done: 0, waits: null },
        held: [],
      });
      for (const { topic } of topics) await addPartitions(topic);
    }
    return { name: config.name, timeMs: Date.now(), daemons: daemons.map(summaryOf), sources, partitions };
  } finally {
    await Promise.all(targets.map(async (target) => await target.close()));
  }
}

/** Of several captures of a source the one that is at work. */
function activeCapture(captures: readonly SourceStatus[], name: string): SourceStatus | undefined {
  const found = captures.filter(({ source }) => source === name);
  return found.find(({ state }) => state !== 'standby') ?? found[0];
}

function summaryOf(status: DaemonStatus): DaemonSummary {
  const { pid, role, http, rowsPerSecond, rows, lagMs, outages } = status;
  return { pid, role, http, rowsPerSecond, rows, lagMs, outages };
}

/** The smallest `next` of all targets; null while a target has none. */
function smallest(
  marks: readonly Watermark[],
  topic: string,
  partition: number,
  targets: number,
): number | null {
  const found = marks.filter((mark) => mark.topic === topic && mark.partition === partition);
  return found.length < targets ? null : Math.min(...found.map(({ next }) => next));
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

/** A running capture reads of an acknowledgement within seconds; the log tells at once. */
function heldBy({ held }: SourceStatus, state: CheckpointState): SourceState['held'] {
  const saved = new Map(heldOf(state).map((entry) => [`${entry.table} ${entry.statement}`, entry]));
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

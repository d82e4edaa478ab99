/** The capture role of one source: leadership, then one incarnation after the other. */
import { hostname } from 'node:os';
import { Capture } from '../capture/capture.ts';
import type { CaptureOptions } from '../capture/capture-options.ts';
import { readCheckpointLog } from '../capture/checkpoint-log.ts';
import { MysqlCopySource } from '../capture/copy-source.ts';
import { HeadroomWatch } from '../capture/headroom-watch.ts';
import { isMarkTable } from '../capture/mark.ts';
import { EventTimes, SourceClock } from '../capture/source-clock.ts';
import { SNAPSHOT_SESSION } from '../capture/snapshot-reader.ts';
import type { SourceFacts } from '../capture/start-position.ts';
import { CaptureLag } from '../capture/capture-lag.ts';
import { CaptureProgress } from '../capture/capture-progress.ts';
import { TableFilter } from '../model/table-filter.ts';
import type { Config, SourceSettings } from '../config/config.ts';
import { BinlogLink } from '../drivers/binlog.ts';
import { topicOffsets } from '../drivers/kafka-admin.ts';
import { GroupConsumer } from '../drivers/kafka-consumer.ts';
import { GroupOffsets } from '../drivers/kafka-looks.ts';
import { MysqlConnection } from '../drivers/mysql.ts';
import { PartitionProducer } from '../drivers/kafka-producer.ts';
import type { ErrorCode, RowferryError } from '../errors.ts';
import { toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import type { Position } from '../model/position.ts';
import { tableName } from '../model/table.ts';
import { sleep } from '../runtime/backoff.ts';
import { agreeOnKeys } from './agreed-keys.ts';
import { Gate } from '../runtime/gate.ts';
import type { Outage } from '../runtime/outages.ts';
import { Outages } from '../runtime/outages.ts';
import { connectKafka, prepareTopics, readTopic, senderOf, TopicStore } from './kafka-parts.ts';
import { HeartbeatRows } from './heartbeat-rows.ts';
import { Leadership } from './leadership.ts';
import { LoopDelay } from './loop-delay.ts';
import { removeDeadMembers } from './member-id.ts';
import { applyGroup, sourceTopics } from './names.ts';
import { occupiedTables } from './occupied-tables.ts';
import { PauseWatch } from './pauses.ts';
import type { CaptureRoleStatus } from './role-messages.ts';
import { SourceCare } from './source-care.ts';
import { binlogEnd, binlogKept, passedPreflight, sourceTables } from './source-facts.ts';

/** How long a capture that was told to stop waits for Kafka's last acknowledgements. */
const STOP_MS = 5_000;
/** A chunk or the search for its end that takes so long is given up and tried again. */
const LONGEST_READ_MS = 10 * 60_000;
/** A link that breaks sooner after it was made has not got over its outage. */
const STEADY_MS = 10_000;

export class CaptureRole {
  readonly #config: Config;
  readonly #source: SourceSettings;
  readonly #log: Log;
  readonly #gate = new Gate();
  readonly #outages: Outages;
  readonly #retries: Partial<Record<ErrorCode, number>> = {};
  readonly #clock: SourceClock;
  readonly #heartbeats: HeartbeatRows;
  #progress: CaptureProgress;
  /** It has read the source in this process: a login that is refused from now on was taken away, and may be given back. */
  #wasLetIn = false;
  #watch: HeadroomWatch | undefined;
  /** What incarnations that are over have read. */
  #past = { events: 0, bytes: 0 };
  #pauses: PauseWatch | undefined;
  #consumer: GroupConsumer | undefined;

  constructor(config: Config, source: SourceSettings, log: Log) {
    this.#config = config;
    this.#source = source;
    this.#log = log;
    this.#outages = new Outages({ maxMs: config.retry.maxMs, log });
    this.#clock = new SourceClock(log);
    this.#heartbeats = new HeartbeatRows(config.name, source, this.#clock, log);
    this.#progress = new CaptureProgress(source.name, new CaptureLag(source.heartbeatMs));
  }

  status(): Omit<CaptureRoleStatus, 'thread'> {
    const capture = this.#progress.status(this.#watch?.headroom ?? null);
    return {
      role: 'capture',
      capture: {
        ...capture,
        clockOffsetMs: this.#clock.offsetMs,
        events: this.#past.events + capture.events,
        bytes: this.#past.bytes + capture.bytes,
      },
      retries: { ...this.#retries },
      outages: [...this.#outages.current, ...this.#heartbeats.outages],
      pause: this.#pauses?.pause ?? null,
      groupBreaks: this.#consumer?.breaks ?? 0,
    };
  }

  lookForPauses(): void {
    this.#pauses?.look();
  }

  tryNow(): void {
    this.#outages.hurry();
  }

  /** Resolves when the signal aborted; rejects with what an operator must mend. */
  async run(signal: AbortSignal): Promise<void> {
    const config = this.#config;
    const { name } = this.#source;
    const link = connectKafka(config, `capture-${name}`, this.#log, this.#outages);
    await prepareTopics(link, config, this.#outages, signal);
    if (signal.aborted) return;
    const { checkpoints, captureGroup } = sourceTopics(config, name);
    await removeDeadMembers(link, captureGroup, this.#log, signal);
    const pauses = new PauseWatch(link, config, { role: 'capture', source: name }, this.#gate, this.#log);
    this.#pauses = pauses;
    await pauses.begin(this.#outages, signal);
    const ended = new AbortController();
    const leadership = new Leadership(
      (onAssign) =>
        (this.#consumer = new GroupConsumer(link, {
          groupId: captureGroup,
          topics: [checkpoints],
          sessionTimeoutMs: config.kafka.sessionTimeoutMs,
          log: this.#log,
          onAssign,
          onRecords: () => undefined,
        })),
    );
    const both = AbortSignal.any([signal, ended.signal]);
    const leading = leadership.run(both);
    this.#watch = new HeadroomWatch({
      point: () => (leadership.leads ? this.#progress.resume : undefined),
      isCopying: () => this.#progress.isCopying,
      look: async () => await binlogKept(this.#source, this.#clock),
      log: this.#log,
    });
    void this.#watch.run(both);
    void this.#heartbeats.write(() => leadership.leads, both);
    const watching = pauses.run(both);
    try {
      await Promise.race([this.#terms(leadership, both, link), leading, watching]);
    } finally {
      ended.abort();
      await leading;
      await watching;
    }
  }

  async #terms(
    leadership: Leadership,
    signal: AbortSignal,
    link: ReturnType<typeof connectKafka>,
  ): Promise<void> {
    const outage = this.#outages.of(`capture ${this.#source.name}`, { atOnce: true, steadyMs: STEADY_MS });
    while (!signal.aborted) {
      if (!leadership.leads) {
        this.#progress.enter('standby');
        outage.close();
      }
      const term = await leadership.term(signal);
      if (term === undefined) return;
      await this.#recall(link, AbortSignal.any([signal, term]));
      if (this.#gate.isClosed) {
        // It keeps leading: no other capture takes over what an operator has paused.
        this.#progress.enter('paused');
        outage.close();
        await this.#gate.opened(AbortSignal.any([signal, term]));
        continue;
      }
      const { period } = this.#gate;
      try {
        const end = await this.#incarnation(link, outage, AbortSignal.any([signal, term, period]));
        if (end === 'stopped') continue;
        this.#log.warn({}, 'another claim superseded this capture');
        // A zombie learns within this time from the group that it leads no more; a replay's claim is taken up after it.
        await sleep(1_000, AbortSignal.any([signal, term]));
      } catch (thrown) {
        const error = this.#judged(toRowferryError(thrown, 'capturing')).at({ source: this.#source.name });
        if (signal.aborted || term.aborted || period.aborted) continue;
        if (error.action !== 'retry') {
          this.#progress.failed('stopped', error.describe(), error.code, null);
          throw error;
        }
        this.#retries[error.code] = (this.#retries[error.code] ?? 0) + 1;
        const waitMs = outage.failed(error);
        this.#progress.failed('waiting', error.describe(), error.code, Date.now() + waitMs);
        await this.#outages.wait(waitMs, AbortSignal.any([signal, term, period]));
      }
    }
  }

  #judged(error: RowferryError): RowferryError {
    return this.#wasLetIn && error.code === 'ROWFERRY_SOURCE_ACCESS' ? error.passing() : error;
  }

  /** What is saved is shown before anything is read, also while an operator has paused the reading. */
  async #recall(link: ReturnType<typeof connectKafka>, signal: AbortSignal): Promise<void> {
    if (this.#progress.isKnown) return;
    const { checkpoints } = sourceTopics(this.#config, this.#source.name);
    try {
      this.#progress.recall(readCheckpointLog(await readTopic(link, checkpoints, signal)));
    } catch (thrown) {
      // Whoever claims reads it again, and tells of what is wrong with it.
      const error = toRowferryError(thrown, 'reading what is saved');
      this.#log.debug({ code: error.code }, `what is saved is not known yet: ${error.describe()}`);
    }
  }

  async #incarnation(
    link: ReturnType<typeof connectKafka>,
    outage: Outage,
    signal: AbortSignal,
  ): Promise<'superseded' | 'stopped'> {
    const { name } = this.#source;
    const { kafka } = this.#config;
    const topics = sourceTopics(this.#config, name);
    // An orderly stop lets what was read become durable first; a Kafka that does not answer must not hold it up for long.
    const producing = new AbortController();
    const giveUp = (): void => void setTimeout(() => producing.abort(), STOP_MS).unref();
    signal.addEventListener('abort', giveUp, { once: true });
    const producer = new PartitionProducer(link, {
      maxMessageBytes: kafka.maxMessageBytes,
      compression: kafka.compression,
      signal: producing.signal,
    });
    const filter = new TableFilter(this.#source.tables);
    const offsets = new GroupOffsets(link, applyGroup(this.#config), topics.changes);
    const care = new SourceCare(this.#source, this.#config.snapshot);
    const loop = new LoopDelay();
    const capture = new Capture(
      this.#options(filter, outage),
      {
        store: new TopicStore(link, producer, topics.checkpoints),
        sender: senderOf(producer, topics.changes),
        hasPublished: async () => (await topicOffsets(link, topics.changes)).some(({ high }) => high > 0),
        published: async () => (await topicOffsets(link, topics.changes)).map(({ high }) => high),
        inspect: async (signal) => await this.#inspect(link, producer, signal),
        link: (start, facts) => this.#binlog(filter, start, facts),
        current: async () => await binlogEnd(this.#source),
        heartbeatMs: (event) => this.#heartbeats.writtenMs(event),
        tables: async () => (await sourceTables(this.#source)).map((table) => tableName(table)),
        copying: {
          connect: async (signal) => await this.#copySource(signal),
          occupied: async (table, signal) =>
            await occupiedTables(this.#config, name, table, this.#log, signal),
          applied: async () => await offsets.read(),
          signals: async () => [loop.signal(), ...(await care.signals())],
          closed: () => care.closed(),
        },
      },
      this.#progress,
    );
    const { events, bytes } = this.#progress.status(null);
    this.#past = { events: this.#past.events + events, bytes: this.#past.bytes + bytes };
    this.#progress = capture.progress;
    try {
      return await capture.run(signal);
    } finally {
      signal.removeEventListener('abort', giveUp);
      await producer.close();
      await offsets.close();
      care.close();
      loop.stop();
    }
  }

  #options(filter: TableFilter, outage: Outage): CaptureOptions {
    const { name, keys, keyless, startFrom, heartbeatMs, heartbeatRow, ddl, truncate } = this.#source;
    const { kafka, capture } = this.#config;
    return {
      pipeline: this.#config.name,
      source: name,
      partitions: kafka.partitions,
      format: kafka.format,
      chunkBytes: capture.chunkBytes,
      queueBytes: capture.queueBytes,
      checkpointMs: capture.checkpointMs,
      heartbeatMs,
      heartbeatRow: heartbeatRow !== null,
      start: startFrom,
      captures: (schema, table) => filter.matches(schema, table),
      keyless,
      hasDeclaredKey: (schema, table) => keys[`${schema}.${table}`] !== undefined,
      capturesIn: (schema) => filter.mayMatchIn(schema),
      by: `${process.pid}@${hostname()}`,
      snapshot: this.#config.snapshot,
      outages: this.#outages,
      onReading: () => {
        this.#wasLetIn = true;
        outage.over();
      },
      schemaPolicy: { ddl, truncate },
      log: this.#log,
    };
  }

  async #inspect(
    link: ReturnType<typeof connectKafka>,
    producer: PartitionProducer,
    signal: AbortSignal,
  ): Promise<SourceFacts> {
    const { facts, tables } = await passedPreflight(this.#source, this.#log, this.#clock, this.#wasLetIn);
    await agreeOnKeys(link, producer, this.#config, this.#source, tables, signal);
    return facts;
  }

  #binlog(filter: TableFilter, start: Position, facts: SourceFacts): BinlogLink {
    const { url, serverId, heartbeatMs, keys } = this.#source;
    const times = new EventTimes(this.#clock, start.file, facts.current, this.#heartbeats.times);
    return new BinlogLink({
      host: url.host,
      port: url.port,
      user: url.user,
      password: url.password.reveal(),
      tls: url.tls,
      serverId,
      flavour: facts.flavour,
      start: start.gtid === undefined ? { file: start.file, offset: start.offset } : { gtid: start.gtid },
      heartbeatMs,
      queueBytes: this.#config.capture.queueBytes,
      wants: (schema, table) =>
        filter.matches(schema, table) || isMarkTable(schema, table) || this.#heartbeats.wants(schema, table),
      keyOf: (schema, table) => keys[`${schema}.${table}`],
      timed: (event, isNew) => times.of(event, isNew, Date.now()),
    });
  }

  async #copySource(signal: AbortSignal): Promise<MysqlCopySource> {
    const { name, url, keys, keyless } = this.#source;
    const { capture, snapshot } = this.#config;
    return await MysqlCopySource.open({
      connect: async () => {
        try {
          return await MysqlConnection.connect({
            url,
            side: 'source',
            where: { source: name },
            session: SNAPSHOT_SESSION,
            queryTimeoutMs: LONGEST_READ_MS,
          });
        } catch (thrown) {
          throw this.#judged(toRowferryError(thrown, 'connecting to copy'));
        }
      },
      chunkBytes: capture.queueBytes,
      keys,
      keyless,
      where: snapshot.where,
      signal,
    });
  }
}

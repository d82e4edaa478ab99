/** The alerts of a daemon: fed with what its roles tell, for as long as it runs. */
import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import type { Log } from '../model/log.ts';
import type { HistoryEntry } from '../observe/alerts/alert-book.ts';
import { Alerts } from '../observe/alerts/alerts.ts';
import type { AlertState, NewSilence } from '../observe/alerts/alerts.ts';
import type { Measure, MeasureChange, MeasureName, MeasureReport } from '../observe/alerts/measures.ts';
import { Measures } from '../observe/alerts/measures.ts';
import type { AlertSamples } from '../observe/alerts/metrics.ts';
import { AlertFile } from './alert-file.ts';
import { AlertSampler } from './alert-samples.ts';
import type { DaemonIdentity } from './daemon-status.ts';
import { debeziumSourceOf } from './debezium-topics.ts';
import type { DiskWatch } from './disk-watch.ts';
import { MachineWatch } from './machine-watch.ts';
import { sourceTopics } from './names.ts';
import type { RoleView } from './role-messages.ts';
import type { ThreadHealth } from './thread-health.ts';
import { ThreadWatch } from './thread-health.ts';

/** What others see of a daemon's alerts. */
export interface DaemonAlerts {
  /** What was measured at the last look. */
  readonly samples: AlertSamples;
  /** How the main thread fares. */
  readonly mainThread: ThreadHealth;
  state(): AlertState;
  /** Returns the silence's number. */
  silence(silence: NewSilence): number;
  endSilence(id: number): boolean;
  /** What other programs have reported to this process. */
  readonly measures: readonly Measure[];
  /** Takes all of the reports or none; kept when it returns. Throws ROWFERRY_CONFIG_INVALID. */
  report(reports: readonly MeasureReport[], by: string): readonly MeasureChange[];
  /** Forgets what was reported of these, all or none. Throws ROWFERRY_CONFIG_INVALID. */
  withdraw(names: readonly MeasureName[]): readonly MeasureChange[];
  /** Calls back with each alert that fires or is resolved, silenced ones too. */
  onNews(listener: (news: HistoryEntry) => void): void;
}

export class AlertWatch implements DaemonAlerts {
  readonly #alerts: Alerts;
  readonly #sampler: AlertSampler;
  readonly #file: AlertFile;
  readonly #measures: Measures;
  readonly #machine: MachineWatch;
  readonly #thread = new ThreadWatch();
  readonly #listeners: ((news: HistoryEntry) => void)[] = [];
  #mainThread: ThreadHealth = this.#thread.read();
  #samples: AlertSamples = new Map();

  constructor(
    config: Config,
    log: Log,
    { role, startedMs }: Pick<DaemonIdentity, 'role' | 'startedMs'>,
    disks: readonly DiskWatch[],
  ) {
    const file = new AlertFile(config, role, log);
    this.#file = file;
    this.#measures = new Measures(config.alerts.metrics, file.measures);
    // What is declared no more is forgotten: declared again some day, it begins without a report of long ago.
    if (this.measures.length < file.measures.length) file.write({ measures: this.measures });
    this.#alerts = new Alerts(config.alerts, {
      teller: { pipeline: config.name, host: hostname(), role, pid: process.pid, startedMs, key: file.key },
      log,
      kept: file.kept,
      keep: (kept) => file.write({ kept }),
    });
    this.#machine = new MachineWatch(disks);
    this.#sampler = new AlertSampler({
      captureQueueBytes: config.capture.queueBytes,
      applyQueueBytes: config.apply.queueBytes,
      topicOf: topicsOf(config),
      hasOwnSources: config.sources.length > 0,
    });
  }

  get samples(): AlertSamples {
    return this.#samples;
  }

  get mainThread(): ThreadHealth {
    return this.#mainThread;
  }

  /** One look, about twice a second. */
  look(roles: readonly RoleView[], nowMs: number): void {
    this.#mainThread = this.#thread.read();
    const mainDelayMs = this.#mainThread.loopDelayMs;
    const measures = this.#measures.samples(nowMs);
    this.#samples = this.#sampler.sample({ roles, mainDelayMs, ...this.#machine.facts, measures }, nowMs);
    for (const news of this.#alerts.observe(this.#samples, nowMs))
      for (const listener of this.#listeners) listener(news);
  }

  state(): AlertState {
    return this.#alerts.state();
  }

  silence(silence: NewSilence): number {
    return this.#alerts.silence(silence);
  }

  endSilence(id: number): boolean {
    return this.#alerts.endSilence(id);
  }

  get measures(): readonly Measure[] {
    return this.#measures.all;
  }

  report(reports: readonly MeasureReport[], by: string): readonly MeasureChange[] {
    const changes = this.#measures.report(reports, Date.now(), by);
    this.#file.write({ measures: this.#measures.all });
    return changes;
  }

  withdraw(names: readonly MeasureName[]): readonly MeasureChange[] {
    const changes = this.#measures.withdraw(names);
    this.#file.write({ measures: this.#measures.all });
    return changes;
  }

  onNews(listener: (news: HistoryEntry) => void): void {
    this.#listeners.push(listener);
  }

  /** What waits to be told is told for at most so long. */
  async close(ms: number): Promise<void> {
    this.#machine.stop();
    this.#thread.stop();
    await this.#alerts.close(ms);
  }
}

/** Whose changes a topic holds. */
export function topicsOf(
  config: Config,
): (topic: string) => { readonly source: string; readonly hasHeartbeats: boolean } {
  const own = new Map(config.sources.map(({ name }) => [sourceTopics(config, name).changes, name]));
  const debezium = debeziumSourceOf(config);
  return (topic) => {
    const source = own.get(topic);
    if (source !== undefined) return { source, hasHeartbeats: true };
    return { source: debezium(topic)?.name ?? '', hasHeartbeats: false };
  };
}

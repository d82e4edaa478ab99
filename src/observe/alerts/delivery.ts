/** What channels are handed: the notices of one moment, and how they look as JSON and as a mail. Pure. */
import { createHash } from 'node:crypto';
import type { Alert, Notice } from './alert-book.ts';
import { runbookOf } from './default-rules.ts';
import { labelKey } from './evaluate.ts';
import { isAtLeast, LEVELS } from './rule.ts';
import type { Level } from './rule.ts';

/** The process that tells. */
export interface Teller {
  readonly pipeline: string;
  readonly host: string;
  readonly role: string;
  readonly pid: number;
  readonly startedMs: number;
  /** Unlike those of other processes, and kept over a restart: what an alert's fingerprint is made of. */
  readonly key: string;
}

export interface Delivery {
  /** The same on every try, so that a receiver can tell a repetition. */
  readonly id: string;
  readonly teller: Teller;
  readonly atMs: number;
  readonly notices: readonly Notice[];
  /** How many more follow: a delivery is bounded. */
  readonly leftOff: number;
}

const MOST_NOTICES = 100;

/** The notices that a channel hears of. */
export function heardBy(
  channel: { readonly name: string; readonly leastLevel: Level },
  notices: readonly Notice[],
): readonly Notice[] {
  return notices
    .filter(({ alert }) => isAtLeast(alert.level, channel.leastLevel))
    .filter(({ alert }) => alert.channels === null || alert.channels.includes(channel.name));
}

/** One delivery of what waits, the gravest first. */
export function deliveryOf(
  waiting: readonly Notice[],
  about: Pick<Delivery, 'id' | 'teller' | 'atMs'>,
): Delivery {
  const notices = waiting
    .toSorted((a, b) => LEVELS.indexOf(b.alert.level) - LEVELS.indexOf(a.alert.level))
    .slice(0, MOST_NOTICES);
  return { ...about, notices, leftOff: waiting.length - notices.length };
}

/** The same for an alert of a process at each of its notices, also after a restart; another one in each process. */
export function fingerprintOf(
  { pipeline, key }: Teller,
  { rule, labels }: Pick<Alert, 'rule' | 'labels'>,
): string {
  const identity = JSON.stringify([pipeline, key, rule, labelKey(labels, Object.keys(labels))]);
  return createHash('sha256').update(identity).digest('hex').slice(0, 16);
}

/** What is told: of what is over, that it was. */
export function messageOf({ kind, alert }: Notice): string {
  return kind === 'resolved' ? `was: ${alert.message}` : alert.message;
}

/** The body of a webhook and the standard input of a command. */
export function deliveryJson({ id, teller, atMs, notices, leftOff }: Delivery): string {
  const { pipeline, host, role, pid, startedMs } = teller;
  return JSON.stringify({
    version: 1,
    id,
    pipeline,
    instance: { host, role, pid, startedAt: timeOf(startedMs) },
    sentAt: timeOf(atMs),
    alerts: notices.map((notice) => noticeTree(notice, fingerprintOf(teller, notice.alert))),
    leftOff,
  });
}

function noticeTree(notice: Notice, fingerprint: string): object {
  const { kind, alert, atMs } = notice;
  return {
    status: kind,
    fingerprint,
    rule: alert.rule,
    group: alert.group,
    level: alert.level,
    labels: alert.labels,
    message: messageOf(notice),
    runbook: runbookOf(alert.rule),
    condition: alert.condition,
    value: alert.value,
    since: timeOf(alert.sinceMs),
    firedAt: timeOf(alert.firedMs),
    resolvedAt: kind === 'resolved' ? timeOf(atMs) : null,
  };
}

interface Mail {
  readonly subject: string;
  readonly text: string;
}

export function deliveryMail({ teller, notices, leftOff }: Delivery): Mail {
  const [first] = notices;
  const count = notices.length + leftOff;
  const what = first === undefined ? '' : `${statusOf(first)} ${first.alert.rule}: ${messageOf(first)}`;
  const more = count > 1 ? ` (and ${count - 1} more)` : '';
  const lines = notices.map((notice) => `${statusOf(notice)} ${noticeText(notice)}`);
  if (leftOff > 0) lines.push(`... and ${leftOff} more, in mails of their own`);
  lines.push(`Told by ${teller.role} on ${teller.host}, pid ${teller.pid}.`);
  return {
    // A line break would end the header.
    subject: `[rowferry ${teller.pipeline}] ${what}${more}`.replaceAll(/\s+/g, ' ').slice(0, 200),
    text: `${lines.join('\n\n')}\n`,
  };
}

function statusOf({ kind, alert }: Notice): string {
  return kind === 'resolved'
    ? 'RESOLVED'
    : `${alert.level.toUpperCase()}${kind === 'repeated' ? ' (still)' : ''}`;
}

function noticeText(notice: Notice): string {
  const { alert } = notice;
  const runbook = runbookOf(alert.rule);
  const labels = Object.entries(alert.labels).map(([name, value]) => `${name} ${value}`);
  const where = labels.length === 0 ? '' : `\n  ${labels.join(', ')}`;
  const help = runbook === null ? '' : `\n  what to do: ${runbook}`;
  return `${alert.rule}: ${messageOf(notice)}${where}\n  ${alert.condition}, since ${timeOf(alert.sinceMs)}${help}`;
}

function timeOf(ms: number): string;
function timeOf(ms: number | null): string | null;
function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

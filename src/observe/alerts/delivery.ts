/** What channels are handed: the notices of one moment, and how they look as JSON and as a mail. Pure. */
import type { Alert, Notice } from './alert-book.ts';
import { isAtLeast, LEVELS } from './rule.ts';
import type { Level } from './rule.ts';

export interface Delivery {
  /** The same on every try, so that a receiver can tell a repetition. */
  readonly id: string;
  readonly pipeline: string;
  readonly atMs: number;
  readonly notices: readonly Notice[];
  /** Notices of the same moment that are not listed: the delivery is bounded. */
  readonly leftOff: number;
}

const MOST_NOTICES = 100;

/** The notices that a channel hears of as one delivery, the gravest first; null when there are none. */
export function deliveryFor(
  channel: { readonly name: string; readonly leastLevel: Level },
  notices: readonly Notice[],
  about: { readonly id: string; readonly pipeline: string; readonly atMs: number },
): Delivery | null {
  const heard = notices
    .filter(({ alert }) => isAtLeast(alert.level, channel.leastLevel))
    .filter(({ alert }) => alert.channels === null || alert.channels.includes(channel.name))
    .toSorted((a, b) => LEVELS.indexOf(b.alert.level) - LEVELS.indexOf(a.alert.level));
  if (heard.length === 0) return null;
  const shown = heard.slice(0, MOST_NOTICES);
  return { ...about, notices: shown, leftOff: heard.length - shown.length };
}

/** The body of a webhook and the standard input of a command. */
export function deliveryJson({ id, pipeline, atMs, notices, leftOff }: Delivery): string {
  return JSON.stringify({
    version: 1,
    id,
    pipeline,
    sentAt: timeOf(atMs),
    alerts: notices.map(({ kind, alert, atMs }) => ({
      status: kind,
      rule: alert.rule,
      group: alert.group,
      level: alert.level,
      labels: alert.labels,
      message: alert.message,
      condition: alert.condition,
      value: alert.value,
      since: timeOf(alert.sinceMs),
      firedAt: timeOf(alert.firedMs),
      resolvedAt: kind === 'resolved' ? timeOf(atMs) : null,
    })),
    leftOff,
  });
}

export interface Mail {
  readonly subject: string;
  readonly text: string;
}

export function deliveryMail({ pipeline, notices, leftOff }: Delivery): Mail {
  const [first] = notices;
  const count = notices.length + leftOff;
  const what = first === undefined ? '' : `${statusOf(first)} ${first.alert.rule}: ${first.alert.message}`;
  const more = count > 1 ? ` (and ${count - 1} more)` : '';
  const lines = notices.map((notice) => `${statusOf(notice)} ${noticeText(notice.alert)}`);
  if (leftOff > 0) lines.push(`... and ${leftOff} more; see rowferry's log`);
  return {
    // A line break would end the header.
    subject: `[rowferry ${pipeline}] ${what}${more}`.replaceAll(/\s+/g, ' ').slice(0, 200),
    text: `${lines.join('\n\n')}\n`,
  };
}

function statusOf({ kind, alert }: Notice): string {
  return kind === 'resolved'
    ? 'RESOLVED'
    : `${alert.level.toUpperCase()}${kind === 'repeated' ? ' (still)' : ''}`;
}

function noticeText(alert: Alert): string {
  const labels = Object.entries(alert.labels).map(([name, value]) => `${name} ${value}`);
  const where = labels.length === 0 ? '' : `\n  ${labels.join(', ')}`;
  return `${alert.rule}: ${alert.message}${where}\n  ${alert.condition}, since ${timeOf(alert.sinceMs)}`;
}

function timeOf(ms: number): string;
function timeOf(ms: number | null): string | null;
function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

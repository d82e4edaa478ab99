/** Options of alerts: rules, channels, how often. Rules in a file of their own have the same shape (`alertRulesFile`). */
import { z } from 'zod';
import { DIMENSIONS } from '../observe/alerts/quantity.ts';
import { LEVELS } from '../observe/alerts/rule.ts';
import { duration, option, text, wholeNumber } from './option-kinds.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Rules, groups and channels: parts of labels, file names and alert names. */
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
const nameKey = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/);

const level = () => z.enum(LEVELS);

const rule = z.strictObject({
  name: text({ type: 'name', pattern: NAME, what: 'a name of letters, digits, `-` and `_`' })
    .optional()
    .describe('Name of the rule, unique. Default: its group and its number in it.'),
  condition: text({
    type: 'condition',
    max: 1000,
    what: 'a condition in text, such as lag_seconds > 60 s',
  }).describe('When it is true, somebody is told: comparisons with units, `and`, `or`, parentheses.'),
  for: text({ type: 'duration with its unit', what: 'a duration such as 10 s or 1 min' })
    .default('0 s')
    .describe('How long the condition must hold without a break.'),
  keepFiring: text({ type: 'duration with its unit', what: 'a duration such as 30 s or 5 min' })
    .default('30 s')
    .describe(
      'How long the condition must be false before the alert is resolved: a value that swings round its limit is one alert.',
    ),
  level: level().describe('How urgent it is.'),
  message: text({ max: 500, what: 'a message' }).describe(
    'What is told; `{value}` and the labels in braces are filled in.',
  ),
  channels: z
    .array(text({ type: 'channel', what: 'the name of a channel' }))
    .min(1)
    .optional()
    .describe('Channels that hear of it. Default: all.'),
});

/** A file of rules: `migration_alerts`, groups, rules. */
export const alertRulesFile = z.strictObject({
  migration_alerts: z.record(nameKey, z.array(rule)).describe('Rules by group.'),
});

const timeoutMs = () =>
  duration({ min: 100, max: 5 * MINUTE })
    .default(10 * SECOND)
    .describe('How long one try may take.');

const type = <T extends string>(name: T) => z.literal(name).describe('What kind of channel it is.');
const common = {
  leastLevel: level().default('warning').describe('Least urgent level that it hears of.'),
};

const HTTP_URL = /^https?:\/\/\S+$/i;
const SMTP_URL = /^smtps?:\/\/\S+$/i;

function url(pattern: RegExp, example: string) {
  return option({ type: 'URL', json: { type: 'string', pattern: `${pattern.source}|\\$\\{` } }, (value) =>
    typeof value === 'string' && pattern.test(value) && URL.canParse(value)
      ? { value }
      : { wrong: `must be a URL such as ${example}` },
  );
}

const address = (type: 'sender' | 'receiver') =>
  text({ type, pattern: /^[^\r\n]*[^\s@]@[^\s@]+$/, what: 'a mail address' });

const channel = z.discriminatedUnion('type', [
  z.strictObject({ type: type('log'), ...common }),
  z.strictObject({
    type: type('webhook'),
    ...common,
    url: url(HTTP_URL, 'https://hooks.example/rowferry').describe(
      'Where it is posted to, as JSON; a secret.',
    ),
    secret: text({ what: 'a secret of at least 16 characters', pattern: /^.{16,}$/s })
      .optional()
      .describe('Signs each request (HMAC-SHA256 of time and body); a secret.'),
    headers: z
      .record(
        z.string().regex(/^[A-Za-z0-9-]+$/),
        text({ what: 'a header', pattern: /^[^\r\n]*$/ }).describe('A header of each request; a secret.'),
      )
      .default({}),
    timeoutMs: timeoutMs(),
  }),
  z.strictObject({
    type: type('email'),
    ...common,
    url: url(SMTP_URL, 'smtp://user:password@mail.example:587').describe(
      'Mail server. `smtps://` speaks TLS from the start; with a user, `smtp://` demands STARTTLS unless the server is this machine.',
    ),
    from: address('sender').describe('Sender.'),
    to: z.array(address('receiver')).min(1).describe('Receivers.'),
    timeoutMs: timeoutMs(),
  }),
  z.strictObject({
    type: type('command'),
    ...common,
    command: z
      .array(text({ what: 'a program or an argument in quotes' }))
      .min(1)
      .describe('Program and arguments, run without a shell; the alerts come as JSON on standard input.'),
    timeoutMs: timeoutMs(),
  }),
]);

export const metricOptions = z.strictObject({
  unit: z
    .enum(DIMENSIONS)
    .describe('What it is measured in, which tells the units that rules and reports write.'),
  labels: z
    .array(text({ type: 'label', what: 'the name of a label' }))
    .optional()
    .describe('Labels that each report carries, at most 4: a rule fires once for each set of their values.'),
  meaning: text({ max: 500, what: 'what it means, in words' }).describe(
    'What it means, for those who read metrics.',
  ),
  staleMs: duration({ min: SECOND, max: 30 * DAY })
    .default(HOUR)
    .describe(
      'A report that is older tells nothing any more: what fires goes on, and nothing begins to fire.',
    ),
});

export const alertOptions = z.strictObject({
  rules: z
    .union([text({ type: 'file', what: 'a file of rules' }), alertRulesFile])
    .optional()
    .describe(
      'File of rules, relative to this file, or the rules themselves. Default: those that rowferry ships.',
    ),
  metrics: z
    .record(z.string(), metricOptions)
    .default({})
    .describe('Metrics that other programs report, by name: rules ask for them as for rowferry’s own.'),
  disks: z
    .array(text({ type: 'folder', what: 'a folder' }))
    .max(20)
    .optional()
    .describe(
      'Folders whose disks `disk_space` tells of besides that of `runDir`, relative to this file: of a database or a Kafka on this machine. They must be there when the daemon starts.',
    ),
  repeatMs: duration({ min: MINUTE, max: 365 * DAY })
    .default(4 * HOUR)
    .describe('How often somebody is told again of an alert that goes on.'),
  historySize: wholeNumber({ min: 1, max: 10_000 })
    .default(200)
    .describe('Alerts that fired and were resolved which are remembered.'),
  channels: z
    .record(nameKey, channel)
    .default({ log: { type: 'log', leastLevel: 'warning' } })
    .describe('Who is told, by name.'),
});

type AlertOptions = z.output<typeof alertOptions>;
export type MetricOptions = z.output<typeof metricOptions>;
export type AlertRuleOptions = z.output<typeof rule>;
export type AlertChannelOptions = AlertOptions['channels'][string];

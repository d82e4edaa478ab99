/** The logger: JSON lines, or readable lines on a terminal. One place decides format and redaction. */
import { pino } from 'pino';
import { build as prettyStream } from 'pino-pretty';
import type { Log } from '../model/log.ts';

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'auto' | 'json' | 'pretty';
  /** Fields of every line: the pipeline, the role, the source. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Field names whose values never reach a line, however they got into one. */
const REDACTED = [
  'password',
  '*.password',
  'url',
  '*.url',
  'row',
  '*.row',
  'image',
  '*.image',
  'key',
  '*.key',
];

/** Writes to standard output, line by line and at once: the lines of several threads do not mix, and a crash loses none. */
export function createLog({ level, format, fields }: LogOptions): Log {
  const pretty = format === 'pretty' || (format === 'auto' && process.stdout.isTTY);
  const stream = pretty
    ? prettyStream({
        destination: 1,
        sync: true,
        translateTime: 'SYS:HH:MM:ss.l',
        ignore: 'pid,hostname',
        singleLine: true,
      })
    : pino.destination({ dest: 1, sync: true });
  return pino({ level, base: fields, redact: { paths: REDACTED, censor: '***' } }, stream);
}

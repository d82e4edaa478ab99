/** The logger: JSON lines, or readable lines on a terminal. One place decides format and redaction. */
import { pino } from 'pino';
import { build as prettyStream } from 'pino-pretty';
import type { Log } from '../model/log.ts';

interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'auto' | 'json' | 'pretty';
  /** Fields of every line: the pipeline, the role, the source. */
  readonly fields: Readonly<Record<string, string>>;
}

/** A log whose level can be changed while it runs. */
export interface LevelledLog extends Log {
  getLevel(): LogOptions['level'];
  setLevel(level: LogOptions['level']): void;
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
export function createLog({ level, format, fields }: LogOptions): LevelledLog {
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
  const log = pino({ level, base: fields, redact: { paths: REDACTED, censor: '***' } }, stream);
  return Object.assign(log, {
    getLevel: () => log.level as LogOptions['level'],
    setLevel: (level: LogOptions['level']) => void (log.level = level),
  });
}

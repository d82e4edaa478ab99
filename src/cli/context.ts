import type { Output } from './output.ts';

/** What the process hands to a verb. */
export interface CliContext {
  readonly output: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts at SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
}

/** The screen that results are drawn on. */
export interface Terminal {
  readonly columns: number;
  /** Absent where nothing is drawn anew. */
  readonly rows?: number;
  /** What is drawn can be drawn over. Default: no. */
  readonly isInteractive?: boolean;
  /** Shows more than ASCII. */
  readonly unicode: boolean;
}

const DEFAULT_COLUMNS = 100;
const DEFAULT_ROWS = 24;

/** What is known of the screen: a pipe or a file gets ASCII, a terminal what its locale says. */
export function terminalOf(
  stdout: { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number },
  env: CliContext['env'],
): Terminal {
  // Of these the first that is set counts, empty ones do not.
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return {
    // Asked for each time: a window changes its size.
    get columns() {
      return stdout.columns ?? DEFAULT_COLUMNS;
    },
    get rows() {
      return stdout.rows ?? DEFAULT_ROWS;
    },
    isInteractive: stdout.isTTY === true && env['TERM'] !== 'dumb',
    unicode: stdout.isTTY === true && /utf-?8/i.test(locale),
  };
}

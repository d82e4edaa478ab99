import type { Output } from './output.ts';

/** What the process hands to a verb. */
export interface CliContext {
  readonly output: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts at SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
}

/** What the sandbox cannot do and what a person can do about it; `message` holds both. */
export class SandboxError extends Error {
  override readonly name = 'SandboxError';

  constructor(what: string, remedy: string, cause?: unknown) {
    super(`${what}\n  remedy: ${remedy}`, cause === undefined ? undefined : { cause });
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}

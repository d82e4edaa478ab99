/** The daemons of this machine over their API, found by their status files; what does not answer is not used. */
import { isLoopback } from '../config/loopback.ts';
import type { Config } from '../config/config.ts';
import { RowferryError } from '../errors.ts';
import type { DaemonStatus } from '../wiring/daemon-status.ts';
import { localUser } from '../wiring/local-user.ts';
import { readStatuses } from '../wiring/status-file.ts';

const ANSWER_MS = 30_000;
const LOOK_MS = 2_000;

interface Change {
  readonly part: string;
  readonly from: string;
  readonly to: string;
}

interface ActionAnswer {
  readonly changes: readonly Change[];
  readonly counts?: Readonly<Record<string, number>>;
}

export interface AlertLine {
  readonly rule: string;
  readonly level: string;
  readonly message: string;
  readonly sinceMs: number;
  readonly firedMs: number | null;
}

/** One daemon's API. */
export class DaemonApi {
  readonly #config: Config;
  readonly #address: string;

  /** Undefined when the daemon serves none, or not where the configuration says: the token goes nowhere else. */
  static of(config: Config, { http }: DaemonStatus): DaemonApi | undefined {
    if (http === null || !URL.canParse(http)) return undefined;
    const { hostname, port } = new URL(http);
    const bare = (host: string): string => host.replaceAll(/^\[|\]$/g, '');
    if (bare(hostname) !== bare(config.http.host)) return undefined;
    return new DaemonApi(config, `http://${reachable(hostname)}:${port}`);
  }

  private constructor(config: Config, address: string) {
    this.#config = config;
    this.#address = address;
  }

  /** What is there; undefined when nothing answers. */
  async read<T>(url: string, signal: AbortSignal): Promise<T | undefined> {
    try {
      const response = await this.#ask(
        'GET',
        url,
        undefined,
        AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]),
      );
      return response.ok ? ((await response.json()) as T) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Undefined when nothing answers or the daemon takes no actions; rejects with what the daemon says of a refusal. */
  async act(url: string, body: object, signal: AbortSignal): Promise<ActionAnswer | undefined> {
    if (this.#config.http.token === null) return undefined;
    let response: Response;
    try {
      response = await this.#ask(
        'POST',
        url,
        body,
        AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
      );
    } catch (error) {
      // Nobody listens: nothing was done. Whatever else went wrong may have been done all the same.
      if (causeCode(error) === 'ECONNREFUSED') return undefined;
      throw new RowferryError('ROWFERRY_DAEMON_LINK', `the daemon at ${this.#address} did not answer`, {
        hint: 'look at rowferry status before trying again: it may have been done',
        cause: error,
      });
    }
    if (response.ok) return (await response.json()) as ActionAnswer;
    const { code, message, hint } = (await response.json()) as Record<string, string | null>;
    const why = `the daemon refused (${code}): ${message}`;
    throw new RowferryError('ROWFERRY_DAEMON_REFUSED', why, typeof hint === 'string' ? { hint } : {});
  }

  async #ask(method: string, url: string, body: object | undefined, signal: AbortSignal): Promise<Response> {
    const token = this.#config.http.token?.reveal();
    return await fetch(`${this.#address}${url}`, {
      method,
      signal,
      redirect: 'error',
      headers: {
        // For the daemon's audit log, which takes the word for it.
        'x-rowferry-user': localUser(),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }
}

export interface LiveDaemons {
  readonly statuses: readonly DaemonStatus[];
  readonly alerts: readonly AlertLine[];
}

/** What the daemons of this machine do now: by their API, or by their file when that does not answer. */
export async function liveDaemons(config: Config, signal: AbortSignal): Promise<LiveDaemons> {
  const told = await Promise.all(
    readStatuses(config).map(async (status) => {
      const api = DaemonApi.of(config, status);
      const [fresh, alerts] = await Promise.all([
        api?.read<DaemonStatus>('/api/status', signal),
        api?.read<{ alerts: AlertLine[] }>('/api/alerts', signal),
      ]);
      // The port may be another's by now.
      return { status: fresh?.pid === status.pid ? fresh : status, alerts: alerts?.alerts ?? [] };
    }),
  );
  return { statuses: told.map(({ status }) => status), alerts: told.flatMap(({ alerts }) => alerts) };
}

/** Asks every daemon of this machine; those that take it answer. */
export async function askDaemons(
  config: Config,
  url: string,
  body: object,
  signal: AbortSignal,
): Promise<ActionAnswer[]> {
  const answers: ActionAnswer[] = [];
  for (const status of readStatuses(config)) {
    const answer = await DaemonApi.of(config, status)?.act(url, body, signal);
    if (answer !== undefined) answers.push(answer);
  }
  return answers;
}

/** Asks the first daemon that takes it; undefined when none does. */
export async function askDaemon(
  config: Config,
  url: string,
  body: object,
  signal: AbortSignal,
): Promise<ActionAnswer | undefined> {
  for (const status of readStatuses(config)) {
    const answer = await DaemonApi.of(config, status)?.act(url, body, signal);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** An address that listens everywhere is asked at the loopback. */
function reachable(host: string): string {
  if (isLoopback(host)) return host;
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '[::]' ? '[::1]' : host;
}

function causeCode(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  return (cause as NodeJS.ErrnoException | undefined)?.code;
}

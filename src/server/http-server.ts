/**
 * The daemon over HTTP: probes, metrics, what it does now, and what an operator can do to it (docs/http.md). It listens before
 * the roles begin and closes after they have ended. Nothing here holds up a row: it reads what threads report anyway.
 */
import rateLimit from '@fastify/rate-limit';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Fastify from 'fastify';
import { isLoopback } from '../config/loopback.ts';
import { DEFAULT_HTTP_PORT } from '../config/options.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import { topicsOf } from '../wiring/alert-watch.ts';
import type { DaemonService, RunningDaemon } from '../wiring/daemon.ts';
import { Operator } from '../wiring/operator.ts';
import type { Access } from './access.ts';
import { refusal } from './access.ts';
import { actionRoutes } from './action-routes.ts';
import type { PartChange } from './audit-log.ts';
import { AuditLog } from './audit-log.ts';
import { checkInput } from './check-input.ts';
import { EventHub } from './event-hub.ts';
import { split } from './metric-table.ts';
import { MetricsRegistry } from './metrics-registry.ts';
import type { TextRoute } from './openapi.ts';
import { openApi } from './openapi.ts';
import { processFacts } from './process-facts.ts';
import { readRoutes } from './read-routes.ts';
import type { Route } from './route.ts';
import { alertEvent, stateChanges } from './state-changes.ts';

const BODY_BYTES = 128 * 1024;
const REQUEST_MS = 10_000;
/** What the command line sends of its user. */
const USER_HEADER = 'x-rowferry-user';
/** Actions wait for Kafka; what takes longer is told as such. */
const ANSWER_MS = 25_000;

export class HttpServer implements DaemonService {
  readonly #daemon: RunningDaemon;
  readonly #app: FastifyInstance;
  readonly #audit: AuditLog;
  readonly #events = new EventHub();
  readonly #metrics: MetricsRegistry;
  readonly #routes: readonly Route[];
  readonly #texts: (TextRoute & {
    readonly handle: (reply: FastifyReply, request: FastifyRequest) => Promise<unknown>;
  })[];
  /** Requests that the audit log has. */
  readonly #recorded = new WeakSet<FastifyRequest>();
  #address = '';

  private constructor(daemon: RunningDaemon) {
    this.#daemon = daemon;
    this.#audit = new AuditLog(daemon.log);
    this.#metrics = new MetricsRegistry(daemon.config.alerts.metrics);
    this.#routes = [...readRoutes(daemon, this.#audit), ...actionRoutes(new Operator(daemon))];
    this.#texts = [
      {
        url: '/metrics',
        summary: 'Metrics for Prometheus (docs/metrics.md).',
        access: 'read',
        contentType: 'text/plain',
        handle: async (reply) => await reply.type(this.#metrics.contentType).send(await this.#scrape()),
      },
      {
        url: '/api/events',
        summary: 'Changes of states, alerts and actions of operators as server-sent events.',
        access: 'read',
        contentType: 'text/event-stream',
        handle: async (reply, request) => await this.#follow(reply, request),
      },
      {
        url: '/api/openapi.json',
        summary: 'This description.',
        access: 'read',
        contentType: 'application/json',
        handle: async (reply) => await reply.send(openApi(this.#routes, this.#texts)),
      },
    ];
    this.#app = Fastify({
      bodyLimit: BODY_BYTES,
      requestTimeout: REQUEST_MS,
      connectionTimeout: 60_000,
      keepAliveTimeout: 15_000,
      // Whoever is still connected when the daemon has ended is not waited for.
      forceCloseConnections: true,
      return503OnClosing: true,
      // Addresses that cannot even be read are answered as everything else is.
      frameworkErrors: (error, _, reply) => void sendError(reply, error),
    });
    daemon.onStatus((now, before) => {
      for (const change of stateChanges(before, now)) this.#events.publish('state', change, now.timeMs);
    });
    daemon.alerts.onNews((news) => this.#events.publish('alert', alertEvent(news), news.atMs));
  }

  /**
   * Rejects with ROWFERRY_CONFIG_INVALID when it cannot listen where it is told to. Only the default port on the loopback may be
   * another's: then it takes a free one.
   */
  static async start(daemon: RunningDaemon): Promise<HttpServer> {
    const server = new HttpServer(daemon);
    await server.#prepare();
    await server.#listen();
    return server;
  }

  get address(): string {
    return this.#address;
  }

  /** For tests that need no port. */
  get app(): FastifyInstance {
    return this.#app;
  }

  async close(): Promise<void> {
    this.#events.close();
    await this.#app.close();
  }

  async #prepare(): Promise<void> {
    const app = this.#app;
    const { rateLimit: most } = this.#daemon.config.http;
    await app.register(rateLimit, { global: true, max: most, timeWindow: 60_000 });
    app.setErrorHandler(async (error: FastifyError, request, reply) => {
      // A body that cannot even be read ends before the action begins.
      if (request.method === 'POST' && !this.#recorded.has(request))
        this.#record(request, {
          who: whoOf(request),
          outcome: CODES[error.statusCode ?? 0] ?? 'bad-request',
        });
      return await sendError(reply, error);
    });
    app.setNotFoundHandler(
      { preHandler: app.rateLimit() },
      async ({ method, url }, reply) =>
        await reply.code(404).send({
          code: 'not-found',
          message: `there is no ${method} ${url.split('?')[0]}`,
          hint: 'see /api/openapi.json',
        }),
    );
    for (const route of this.#routes) this.#add(route);
    for (const { url, access, handle } of this.#texts) {
      app.get(url, this.#guards(access), async (request, reply) => await handle(reply, request));
    }
  }

  #add(route: Route): void {
    const { method, url, access } = route;
    this.#app.route({
      method,
      url,
      ...this.#guards(access),
      handler: async (request, reply) => {
        const { status, body } = await this.#answer(route, request);
        return await reply.code(status).send(body);
      },
    });
  }

  /** Counted first, so that guessing tokens is slow; then the token, before a body is read. */
  #guards(access: Access) {
    return {
      ...(access === 'open' ? { config: { rateLimit: false as const } } : {}),
      preParsing: async (request: FastifyRequest, reply: FastifyReply) => {
        const { authorization, host } = request.headers;
        const no = refusal({ access, authorization, host }, this.#daemon.config.http);
        if (no === undefined) return;
        const { status, ...body } = no;
        if (access === 'act') this.#record(request, { who: 'nobody', outcome: body.code });
        if (status === 401) reply.header('www-authenticate', 'Bearer realm="rowferry"');
        await reply.code(status).send(body);
      },
    };
  }

  async #answer(route: Route, request: FastifyRequest): Promise<{ status: number; body: unknown }> {
    const signal = AbortSignal.any([this.#daemon.stopping, AbortSignal.timeout(ANSWER_MS)]);
    if (route.access !== 'act') {
      const query = checked(route.query, request.query, 'query');
      const answer = await inTime(route.handle({ query, body: undefined, who: 'api', signal }), signal);
      return { status: answer.status, body: route.answer.parse(answer.body) };
    }
    const timeMs = Date.now();
    const claimed = claimedUser(request);
    const who = whoOf(request);
    let asked: object = {};
    try {
      const body = checked(route.body, request.body ?? {}, 'body');
      asked = body as object;
      const by = claimed ?? `api ${request.ip}`;
      const answer = await inTime(route.handle({ query: undefined, body, who: by, signal }), signal);
      const told = route.answer.parse(answer.body) as { readonly changes: readonly PartChange[] };
      if (route.audit === 'each')
        this.#record(request, { timeMs, who, asked, outcome: 'done', changes: told.changes });
      return { status: answer.status, body: told };
    } catch (thrown) {
      const outcome = thrown instanceof Refused ? thrown.code : toRowferryError(thrown, 'an action').code;
      this.#record(request, { timeMs, who, asked, outcome });
      throw thrown;
    }
  }

  /** Also of what is refused: somebody tries. A body that does not fit is not told, for it may hold anything. */
  #record(
    request: FastifyRequest,
    { timeMs = Date.now(), who, asked = {}, outcome, changes = [] }: Recorded,
  ): void {
    const url = request.routeOptions.url ?? '';
    const entry = {
      timeMs,
      action: url.slice('/api/'.length),
      who,
      remote: request.ip,
      request: asked,
      changes,
      outcome,
      tookMs: Date.now() - timeMs,
    };
    this.#recorded.add(request);
    const byProgram = this.#routes.some((route) => route.url === url && route.audit === 'refused');
    this.#audit.add(entry, byProgram);
    this.#events.publish('action', entry, timeMs);
  }

  async #scrape(): Promise<string> {
    const { config, status, roles, alerts } = this.#daemon;
    const reported = roles.flatMap(({ name, status: told }) => (told === undefined ? [] : [{ name, told }]));
    const topicOf = topicsOf(config);
    return await this.#metrics.scrape({
      status: { ...status, timeMs: Date.now() },
      ...split(reported.map(({ told }) => told)),
      threads: [
        { name: 'main', health: alerts.mainThread },
        ...reported.map(({ name, told }) => ({ name, health: told.thread })),
      ],
      process: processFacts(),
      alerts: alerts.samples,
      sourceOf: (topic) => topicOf(topic).source,
      nodeVersion: process.version,
    });
  }

  async #follow(reply: FastifyReply, { headers }: FastifyRequest): Promise<unknown> {
    const last = Number(headers['last-event-id']);
    if (this.#events.follow(reply.raw, Number.isSafeInteger(last) ? last : undefined)) return reply.hijack();
    return await reply.code(503).send({
      code: 'too-many-followers',
      message: 'too many follow the events already',
      hint: 'end some of them, or read /api/status now and then',
    });
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#daemon.config.http;
    const { log } = this.#daemon;
    const bind = host.replaceAll(/^\[|\]$/g, '');
    try {
      await this.#app.listen({ host: bind, port });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Nobody chose this port: two daemons on one machine are to run without a word of configuration.
      const isDefault = port === DEFAULT_HTTP_PORT && isLoopback(host);
      if (code !== 'EADDRINUSE' || !isDefault) throw cannotListen(host, port, code, error);
      log.warn({ host, port }, 'the default port is in use; taking a free one');
      await this.#app.listen({ host: bind, port: 0 });
    }
    const [bound] = this.#app.addresses();
    const shown = bind.includes(':') ? `[${bind}]` : bind;
    this.#address = `http://${shown}:${typeof bound === 'object' ? bound.port : port}`;
    log.info({ address: this.#address, open: !isLoopback(host) }, `the API answers at ${this.#address}`);
  }
}

interface Recorded {
  readonly timeMs?: number;
  readonly who: string;
  readonly asked?: object;
  readonly outcome: string;
  readonly changes?: readonly PartChange[];
}

function whoOf(request: FastifyRequest): string {
  const claimed = claimedUser(request);
  return claimed === null ? 'token' : `token, says it is ${claimed}`;
}

/** Who the caller says that it is: the command line sends its user. Whoever has the token can say anything. */
function claimedUser({ headers }: FastifyRequest): string | null {
  const claimed = headers[USER_HEADER];
  return typeof claimed === 'string' && /^[\w.@+-]{1,100}$/.test(claimed) ? claimed : null;
}

function cannotListen(host: string, port: number, code: string | undefined, cause: unknown): RowferryError {
  const isTaken = code === 'EADDRINUSE';
  return new RowferryError(
    'ROWFERRY_CONFIG_INVALID',
    `cannot listen at ${host}:${port} (${isTaken ? 'another process does' : (code ?? 'unknown')})`,
    {
      hint: isTaken
        ? 'end that process, or set http.port to another port, or to 0 for any free one'
        : 'set http.host and http.port to an address of this machine and a port that this user may take, or http.enabled: false',
      cause,
    },
  );
}

/** An answer that is no fault of rowferry: never a stack. */
class Refused extends Error {
  readonly statusCode: number;
  readonly code: string;
  readonly hint: string | null;

  constructor(statusCode: number, code: string, message: string, hint: string | null = null) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.hint = hint;
  }
}

/** What ended with the signal ended because nobody waits longer. */
async function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    if (!signal.aborted || thrown instanceof RowferryError) throw thrown;
    throw new Refused(
      504,
      'timed-out',
      'no answer in time: it may have been done all the same, so look before trying again',
    );
  }
}

const INPUT_HINT = 'GET /api/openapi.json says what each call takes (docs/http.md)';

function checked(schema: Route['query'], value: unknown, what: 'query' | 'body'): unknown {
  if (schema === undefined) return undefined;
  const read = checkInput(schema, value, what);
  if ('wrong' in read) throw new Refused(400, 'bad-request', read.wrong, INPUT_HINT);
  return read.value;
}

async function sendError(reply: FastifyReply, thrown: FastifyError | RowferryError): Promise<unknown> {
  if (!(thrown instanceof RowferryError)) {
    const { statusCode: status = 500, message } = thrown;
    const code =
      thrown instanceof Refused ? thrown.code : status < 500 ? (CODES[status] ?? 'bad-request') : null;
    const hint = thrown instanceof Refused ? thrown.hint : null;
    if (code !== null) return await reply.code(status).send({ code, message, hint });
  }
  const error = toRowferryError(thrown, 'answering a request');
  return await reply
    .code(statusOf(error))
    .send({ code: error.code, message: error.message, hint: error.hint ?? null });
}

const CODES: Readonly<Record<number, string>> = {
  400: 'bad-request',
  413: 'too-large',
  415: 'wrong-content-type',
  429: 'too-many-requests',
};

/** What the caller can mend is a 4xx; what passes by itself a 503. */
function statusOf(error: RowferryError): number {
  if (error.code === 'ROWFERRY_CONFIG_INVALID') return 400;
  if (error.code === 'ROWFERRY_INVARIANT') return 500;
  return error.action === 'retry' ? 503 : 409;
}

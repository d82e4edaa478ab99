import { readdirSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';
import { HttpServer } from '../../../src/server/http-server.ts';
import { expectDescribed, type Description } from '../../support/api.ts';
import { parse, GOOD } from '../config/config-text.ts';
import { applyRole, captureRole, NOW, partition, StillDaemon, view } from './daemon-fixture.ts';

const TOKEN = 'a-token-for-tests-only';

function daemonWith(http: string): StillDaemon {
  const config = parse(`${GOOD}http: { port: 0, ${http} }\n`);
  return new StillDaemon(config, [view('apply', applyRole()), view('capture main', captureRole())]);
}

async function serve(http = `token: ${TOKEN}`): Promise<{ server: HttpServer; daemon: StillDaemon }> {
  const daemon = daemonWith(http);
  const server = await HttpServer.start(daemon);
  onTestFinished(async () => await server.close());
  return { server, daemon };
}

const bearer = { authorization: `Bearer ${TOKEN}`, host: 'localhost' };

describe('access', () => {
  it('reads are free on the loopback; actions need the token, whatever else a caller sends', async () => {
    const { server, daemon } = await serve();
    expect(
      (await server.app.inject({ url: '/api/status', headers: { host: '127.0.0.1:8374' } })).statusCode,
    ).toBe(200);
    const action = { method: 'POST', url: '/api/log-level', payload: { level: 'debug' } } as const;
    for (const authorization of [undefined, '', 'Bearer', `Bearer ${TOKEN}x`, `Basic ${TOKEN}`, TOKEN]) {
      const headers = { host: 'localhost', ...(authorization === undefined ? {} : { authorization }) };
      const answer = await server.app.inject({ ...action, headers });
      expect(answer.statusCode, authorization).toBe(401);
      expect(answer.headers['www-authenticate']).toContain('Bearer');
    }
    expect(daemon.commands).toEqual([]);
    expect((await server.app.inject({ ...action, headers: bearer })).statusCode).toBe(200);
    expect(daemon.commands).toEqual([{ type: 'log-level', level: 'debug' }]);
  });

  it('a page that leads a browser here under another name reads nothing', async () => {
    const { server } = await serve();
    const answer = await server.app.inject({ url: '/api/status', headers: { host: 'evil.example' } });
    expect(answer).toMatchObject({ statusCode: 403 });
    expect(answer.json()).toMatchObject({ code: 'wrong-host' });
  });

  it('without a token in the configuration there are no actions', async () => {
    const { server } = await serve('rateLimit: 600');
    const answer = await server.app.inject({
      method: 'POST',
      url: '/api/pause',
      payload: {},
      headers: { host: 'localhost', authorization: 'Bearer undefined' },
    });
    expect(answer.json()).toMatchObject({ code: 'no-token-configured' });
  });

  it('beyond the loopback reading needs the token too, probes never do', async () => {
    const { server } = await serve(`host: 0.0.0.0, token: ${TOKEN}`);
    for (const url of ['/api/status', '/metrics', '/api/events', '/api/openapi.json'])
      expect((await server.app.inject({ url })).statusCode, url).toBe(401);
    for (const url of ['/livez', '/readyz'])
      expect((await server.app.inject({ url })).statusCode, url).not.toBe(401);
    expect((await server.app.inject({ url: '/metrics', headers: bearer })).statusCode).toBe(200);
  });
});

describe('limits', () => {
  it('an address that asks too often is told so, guesses of tokens count, probes do not', async () => {
    const { server } = await serve(`token: ${TOKEN}, rateLimit: 3`);
    const headers = { host: 'localhost' };
    for (let i = 0; i < 3; i++)
      expect((await server.app.inject({ method: 'POST', url: '/api/pause', headers })).statusCode).toBe(401);
    const refused = await server.app.inject({ method: 'POST', url: '/api/pause', headers });
    expect(refused.statusCode).toBe(429);
    expect(refused.json()).toMatchObject({ code: 'too-many-requests' });
    for (let i = 0; i < 5; i++) expect((await server.app.inject({ url: '/livez' })).statusCode).not.toBe(429);
  });

  it('a body that is too large, is no JSON or says what nobody knows is refused and changes nothing', async () => {
    const { server, daemon } = await serve();
    const post = async (payload: string, type = 'application/json') =>
      await server.app.inject({
        method: 'POST',
        url: '/api/log-level',
        payload,
        headers: { ...bearer, 'content-type': type },
      });
    expect((await post(JSON.stringify({ level: 'x'.repeat(200_000) }))).json()).toMatchObject({
      code: 'too-large',
    });
    expect((await post('{')).statusCode).toBe(400);
    expect((await post('level=debug', 'application/x-www-form-urlencoded')).statusCode).toBe(415);
    const unknown = await post(JSON.stringify({ level: 'debug', also: 1 }));
    expect(unknown.statusCode).toBe(400);
    expect(unknown.json<{ message: string }>().message).toContain('also');
    expect(daemon.commands).toEqual([]);
  });
});

describe('a call that does not fit', () => {
  const post = async (url: string, payload: string | object) => {
    const { server } = await serve();
    const headers = { ...bearer, 'content-type': 'application/json' };
    const { statusCode, body } = await server.app.inject({ method: 'POST', url, payload, headers });
    return { status: statusCode, ...(JSON.parse(body) as { message: string; hint: string | null }) };
  };

  it.each([
    ['/api/log-level', { level: 'debug', levl: 1 }, 'body.levl: is no field; did you mean level?'],
    [
      '/api/log-level',
      { level: 7 },
      'body.level: must be one of debug, info, warn, error; got a whole number',
    ],
    ['/api/log-level', { level: 'hunter2' }, 'body.level: must be one of debug, info, warn, error'],
    ['/api/log-level', ['debug'], 'body: must be an object; got a list'],
    ['/api/replay', {}, 'body.from: is missing'],
    ['/api/replay', { from: '' }, 'body.from: must not be empty'],
    ['/api/snapshot', { action: 'add', table: null }, 'body: add needs a table'],
    ['/api/pause', { source: 'x'.repeat(65) }, 'body.source: must have at most 64 characters; got 65'],
    ['/api/parked/drop', { expect: 1.5 }, 'body.expect: must be a whole number; got another number'],
    ['/api/parked/drop', { expect: 0 }, 'body.expect: must be at least 1'],
    ['/api/ddl/ack', { at: 'b.1:4', force: 'yes' }, 'body.force: must be `true` or `false`; got text'],
    ['/api/measures', { measures: [] }, 'body.measures: must not be empty'],
    [
      '/api/measures',
      {
        measures: [
          { metric: 'm', value: ['hunter2'] },
          { metric: '', value: 1 },
        ],
      },
      'body.measures[0].value: must be a number, or text; got a list; body.measures[1].metric: must not be empty',
    ],
    [
      '/api/measures',
      { measures: [{ metric: 'm', value: 1, labels: { [`a${'b'.repeat(64)}`]: 'x' } }] },
      `body.measures[0].labels.a${'b'.repeat(64)}: is no name: it must have at most 64 characters; got 65`,
    ],
  ])('%s %o is told: which field, what is wanted, and never a value', async (url, payload, message) => {
    const told = await post(url, payload);
    expect(told).toMatchObject({ status: 400, message });
    expect(told.hint).toContain('/api/openapi.json');
    expect(JSON.stringify(told)).not.toContain('hunter2');
  });

  it('is told without what was sent where that is no JSON, and in ten problems at most', async () => {
    const broken = await post('/api/log-level', 'hunter2');
    expect(broken.message).toContain('not valid JSON');
    expect(JSON.stringify(broken)).not.toContain('hunter2');
    const many = await post(
      '/api/log-level',
      Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, 1])),
    );
    expect(many.message.split('; ').at(-1)).toBe('21 more');
  });

  it('a query is told like a body', async () => {
    const { server } = await serve();
    const headers = { host: 'localhost' };
    const answer = await server.app.inject({ url: '/api/positions?last=many', headers });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ message: 'query.last: must be a number; got another number' });
  });
});

describe('answers', () => {
  it('are as the description says, also those that refuse', async () => {
    const { server } = await serve();
    const headers = { host: 'localhost' };
    const description = (await server.app.inject({ url: '/api/openapi.json', headers })).json<Description>();
    const paths = ['/livez', '/readyz', '/api/status', '/api/lag', '/api/alerts', '/api/audit'];
    for (const url of paths) {
      const answer = await server.app.inject({ url, headers });
      expectDescribed(description, 'GET', url, { status: answer.statusCode, body: answer.json() });
    }
    const refused = await server.app.inject({ method: 'POST', url: '/api/pause', headers });
    expectDescribed(description, 'POST', '/api/pause', { status: 401, body: refused.json() });
  });

  it('hold nothing of rows: keys at which a copy stands are left out', async () => {
    const { server, daemon } = await serve();
    const copy = {
      table: 'shop.users',
      id: 1,
      state: 'copying' as const,
      paused: false,
      keyForm: 'varchar',
      upper: ['zoe@example.org'],
      after: ['kim@example.org'],
      rows: 10,
      estimate: 20,
      startedMs: NOW,
      finishedMs: null,
      error: null,
    };
    daemon.become([view('capture main', captureRole({ copies: [copy] }))]);
    const { body } = await server.app.inject({ url: '/api/status', headers: { host: 'localhost' } });
    expect(body).toContain('shop.users');
    expect(body).not.toContain('example.org');
  });

  it('an unknown place is told as such', async () => {
    const { server } = await serve();
    expect((await server.app.inject({ url: '/api/nothing' })).json()).toMatchObject({ code: 'not-found' });
  });
});

describe('actions', () => {
  it('are written down with who, when, from what to what and how it ended', async () => {
    const { server, daemon } = await serve();
    const post = { method: 'POST', url: '/api/log-level', headers: bearer } as const;
    await server.app.inject({ ...post, payload: { level: 'debug' } });
    const answer = await server.app.inject({ url: '/api/audit', headers: { host: 'localhost' } });
    const told = {
      action: 'log-level',
      who: 'token',
      remote: '127.0.0.1',
      request: { level: 'debug' },
      changes: [{ part: 'log', from: 'info', to: 'debug' }],
      outcome: 'done',
    };
    expect(answer.json()).toMatchObject({ entries: [told] });
    expect(daemon.written.filter(({ message }) => message === 'operator: log-level')).toMatchObject([
      { fields: { audit: told } },
    ]);
    expect(JSON.stringify(daemon.written)).not.toContain(TOKEN);
  });
});

it('an address that cannot be read is answered as everything else is', async () => {
  const { server } = await serve();
  const answer = await server.app.inject({ url: '/api/%zz' });
  expect(answer.statusCode).toBe(400);
  expect(answer.json()).toMatchObject({ code: 'bad-request', hint: null });
});

describe('the audit log', () => {
  it('has a line of each try: without a token, with a wrong one, and of bodies that are refused', async () => {
    const { server } = await serve();
    const post = { method: 'POST', url: '/api/log-level', headers: bearer } as const;
    const host = { host: 'localhost' };
    await server.app.inject({ ...post, headers: host, payload: { level: 'debug' } });
    await server.app.inject({ ...post, headers: { ...host, authorization: 'Bearer no' }, payload: {} });
    await server.app.inject({ ...post, payload: { level: 'secret-value' } });
    const broken = { ...bearer, 'content-type': 'application/json', 'x-rowferry-user': 'kim@db-7' };
    await server.app.inject({ ...post, headers: broken, payload: '{' });
    await server.app.inject({
      ...post,
      headers: { ...bearer, 'x-rowferry-user': 'kim@db-7' },
      payload: { level: 'info' },
    });
    const { entries } = (await server.app.inject({ url: '/api/audit', headers: host })).json<{
      entries: object[];
    }>();
    const who = 'token, says it is kim@db-7';
    expect(entries.toReversed()).toMatchObject([
      { action: 'log-level', who: 'nobody', outcome: 'unauthorized' },
      { action: 'log-level', who: 'nobody', outcome: 'unauthorized' },
      { who: 'token', outcome: 'bad-request', request: {} },
      { who, outcome: 'bad-request' },
      { who, outcome: 'done', request: { level: 'info' } },
    ]);
    expect(JSON.stringify(entries)).not.toContain('secret-value');
  });
});

describe('reports of other programs', () => {
  const METRICS = `alerts: { metrics: { missing_records: { unit: count, labels: [table], meaning: Missing rows. } }, rules: { migration_alerts: { g: [{ name: missing, condition: missing_records > 0, level: critical, message: '{table}' }] } } }\n`;
  const one = (table: string, value: number | string) => ({
    measures: [{ metric: 'missing_records', labels: { table }, value }],
  });

  async function reporter() {
    const config = parse(`${GOOD}http: { port: 0, token: ${TOKEN} }\n${METRICS}`);
    const daemon = new StillDaemon(config, [view('apply', applyRole())]);
    const server = await HttpServer.start(daemon);
    onTestFinished(async () => await server.close());
    const headers = { host: 'localhost' };
    const description = (await server.app.inject({ url: '/api/openapi.json', headers })).json<Description>();
    const call = async (method: 'GET' | 'POST', url: string, payload?: object, as: object = bearer) => {
      const answer = await server.app.inject({
        method,
        url,
        headers: { ...as },
        ...(payload === undefined ? {} : { payload }),
      });
      const told = { status: answer.statusCode, body: answer.json<Record<string, unknown>>() };
      expectDescribed(description, method, url, told);
      return told;
    };
    return { server, daemon, call };
  }

  it('make alerts fire and are exported, told of and withdrawn', async () => {
    const { server, daemon, call } = await reporter();
    expect(await call('POST', '/api/measures', one('orders', 3))).toMatchObject({
      status: 200,
      body: { changes: [{ part: 'missing_records{table="orders"}', from: 'not reported', to: '3' }] },
    });
    const active = () => daemon.alerts.state().active.map(({ rule, labels }) => [rule, labels['table']]);
    daemon.become(daemon.roles, Date.now());
    expect(active()).toEqual([['missing', 'orders']]);
    expect((await call('GET', '/api/measures')).body).toMatchObject({
      measures: [{ metric: 'missing_records', labels: { table: 'orders' }, value: 3, by: 'api 127.0.0.1' }],
    });
    const metrics = async () => (await server.app.inject({ url: '/metrics', headers: bearer })).body;
    expect(await metrics()).toContain('rowferry_missing_records{table="orders"} 3');
    const { measures } = one('orders', 0);
    const named = { measures: measures.map(({ metric, labels }) => ({ metric, labels })) };
    expect((await call('POST', '/api/measures/withdraw', named)).status).toBe(200);
    expect(await call('POST', '/api/measures/withdraw', named)).toMatchObject({ status: 400 });
    for (const ms of [0, 30_000]) daemon.become(daemon.roles, Date.now() + ms);
    expect(active()).toEqual([]);
    expect(await metrics()).not.toContain('rowferry_missing_records{');
  });

  it('need the token, and are refused as a whole when one is wrong', async () => {
    const { daemon, call } = await reporter();
    const nobody = { host: 'localhost' };
    expect(await call('POST', '/api/measures', one('orders', 3), nobody)).toMatchObject({ status: 401 });
    for (const wrong of [
      one('orders', '3 s'),
      one('', 3),
      { measures: [] },
      { measures: [{ metric: 'x', value: 1 }] },
    ])
      expect(await call('POST', '/api/measures', wrong)).toMatchObject({ status: 400 });
    const both = { measures: [...one('a', 1).measures, ...one('b', '1 %').measures] };
    expect((await call('POST', '/api/measures', both)).body).toMatchObject({
      code: 'ROWFERRY_CONFIG_INVALID',
      message: 'missing_records: % does not fit here, where a plain number is meant',
    });
    expect(daemon.alerts.measures).toEqual([]);
  });

  it('push nothing out of the audit log: it has those that were refused, the newest 20', async () => {
    const { call } = await reporter();
    await call('POST', '/api/log-level', { level: 'debug' });
    for (let i = 0; i < 30; i++) {
      await call('POST', '/api/measures', one('orders', i));
      await call('POST', '/api/measures', one('orders', `${i} %`));
    }
    const { entries } = (await call('GET', '/api/audit')).body as {
      entries: { action: string; outcome: string }[];
    };
    expect(entries.filter(({ action }) => action === 'log-level')).toHaveLength(1);
    const reports = entries.filter(({ action }) => action === 'measures');
    expect(reports.map(({ outcome }) => outcome)).toEqual(Array(20).fill('ROWFERRY_CONFIG_INVALID'));
  });

  it('are kept for the next process before they are answered', async () => {
    const { daemon, call } = await reporter();
    await call('POST', '/api/measures', one('orders', 3));
    const [file = ''] = readdirSync(daemon.config.runDir).filter((name) => name.endsWith('.alerts.json'));
    expect(JSON.parse(readFileSync(join(daemon.config.runDir, file), 'utf8'))).toMatchObject({
      measures: [{ metric: 'missing_records', labels: { table: 'orders' }, value: 3 }],
    });
  });
});

describe('events', () => {
  it('tell of changes of states as they come, and of those that were missed', async () => {
    const { server, daemon } = await serve();
    const stopped = partition({ state: 'stopped', errorCode: 'ROWFERRY_TARGET_DATA' });
    daemon.become([view('apply', applyRole([stopped]))]);
    const follower = await follow(server, { 'last-event-id': '0' });
    await waitUntil(() => follower.text.includes('ROWFERRY_TARGET_DATA'), { what: 'the missed event' });
    daemon.become([view('apply', applyRole([partition()]))]);
    await waitUntil(() => follower.text.includes('"to":"running"'), { what: 'the next event' });
    expect(follower.text).toMatch(/^id: \d+\nevent: state\ndata: \{/m);
  });

  it('tell of alerts that fire and are resolved, silenced ones too', async () => {
    const { server, daemon } = await serve();
    const silence = { rule: null, labels: { topic: 'shop.main' }, forMs: 60_000, reason: 'a test' };
    const asked = { method: 'POST', url: '/api/alerts/silence', payload: silence, headers: bearer } as const;
    expect((await server.app.inject(asked)).json()).toMatchObject({ counts: { id: 1 } });
    const follower = await follow(server, { 'last-event-id': '0' });
    daemon.become([view('apply', applyRole([partition({ state: 'stopped' })]))]);
    await waitUntil(() => /event: alert\n.*"kind":"fired".*partition_stopped/.test(follower.text), {
      what: 'the alert',
    });
    for (const atMs of [NOW + 1, NOW + 30_001])
      daemon.become([view('apply', applyRole([partition()]))], atMs);
    await waitUntil(() => follower.text.includes('"kind":"resolved"'), { what: 'its end' });
    expect(follower.text.match(/"isSilenced":true/g)?.length).toBe(2);
    const end = { ...asked, url: '/api/alerts/unsilence', payload: { id: 1 } };
    expect((await server.app.inject(end)).statusCode).toBe(200);
    expect((await server.app.inject(end)).json()).toMatchObject({ message: 'there is no silence 1' });
  });

  it('end with the server', async () => {
    const daemon = daemonWith(`token: ${TOKEN}`);
    const server = await HttpServer.start(daemon);
    const follower = await follow(server);
    await server.close();
    await waitUntil(() => follower.ended, { what: 'the stream to end' });
  });

  it('cut off a follower that reads nothing, before it costs memory', async () => {
    const { server, daemon } = await serve();
    const follower = await follow(server, {}, false);
    const error = 'x'.repeat(10_000);
    let turns = 0;
    await waitUntil(
      () => {
        for (let i = 0; i < 200; i++) {
          const errorCode = `${error}${turns++}`;
          daemon.become([view('apply', applyRole([partition({ state: 'waiting', errorCode })]))]);
        }
        return follower.ended;
      },
      { what: 'the follower to be cut off', intervalMs: 5 },
    );
  });
});

describe('the address', () => {
  it('in use is refused where the configuration names it, and is another one where nobody chose it', async () => {
    const { server } = await serve();
    const { port } = new URL(server.address);
    await expect(
      HttpServer.start(new StillDaemon(parse(`${GOOD}http: { port: ${port} }\n`), [])),
    ).rejects.toMatchObject({
      code: 'ROWFERRY_CONFIG_INVALID',
      hint: expect.stringContaining('http.port'),
    });
    // Whoever has the default port, this test or another process: it is in use then.
    const starts = [1, 2].map(async () => {
      const daemon = new StillDaemon(parse(GOOD), []);
      const started = await HttpServer.start(daemon);
      onTestFinished(async () => await started.close());
      return { daemon, port: new URL(started.address).port };
    });
    const [first, second] = await Promise.all(starts);
    expect(first?.port).not.toBe(second?.port);
    const written = [first, second].flatMap((one) => one?.daemon.written ?? []);
    expect(written.map(({ message }) => message)).toContainEqual(expect.stringContaining('in use'));
  });

  it('that is not of this machine is refused, with a hint', async () => {
    await expect(HttpServer.start(daemonWith(`host: 203.0.113.7, token: ${TOKEN}`))).rejects.toMatchObject({
      code: 'ROWFERRY_CONFIG_INVALID',
      hint: expect.stringContaining('http.host'),
    });
  });
});

/** A real connection, since a follower that reads nothing is one of sockets. */
async function follow(
  server: HttpServer,
  headers: Record<string, string> = {},
  reads = true,
): Promise<{ text: string; ended: boolean }> {
  const follower = { text: '', ended: false };
  await new Promise<void>((resolve, reject) => {
    const request = httpRequest(`${server.address}/api/events`, { headers }, (response) => {
      response.on('close', () => (follower.ended = true));
      response.on('error', () => (follower.ended = true));
      if (reads) response.on('data', (part: Buffer) => (follower.text += part.toString()));
      else response.socket.on('close', () => (follower.ended = true));
      resolve();
    });
    onTestFinished(() => void request.destroy());
    request.on('error', reject);
    request.end();
  });
  return follower;
}

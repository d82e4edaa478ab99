/** Channels against what they speak to: an HTTP server, a mail server, a program. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, existsSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import type { SMTPServerOptions } from 'smtp-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { waitUntil } from '../../../../scripts/lib/wait-until.ts';
import type { AlertChannelSettings } from '../../../../src/config/config.ts';
import { Secret } from '../../../../src/config/secret.ts';
import { Alerts } from '../../../../src/observe/alerts/alerts.ts';
import type { AlertsOptions, KeptAlerts } from '../../../../src/observe/alerts/alerts.ts';
import { fingerprintOf } from '../../../../src/observe/alerts/delivery.ts';
import { signatureOf } from '../../../../src/observe/alerts/webhook-channel.ts';
import { rule, samples } from './rules.ts';

const KEY = 'a secret of many letters';
const COMMON = { name: 'ops', leastLevel: 'warning', timeoutMs: 5_000 } as const;

const TELLER = { pipeline: 'shop', host: 'h1', role: 'all', pid: 7, startedMs: 5_000, key: 'k' };

const FINGERPRINT = fingerprintOf(TELLER, { rule: 'disk_low', labels: { disk: '/data' } });

interface Line {
  readonly level: string;
  readonly text: string;
}

/** Alerts with one rule on free space of disks, and its log. */
function alertsWith(
  channels: readonly AlertChannelSettings[],
  more: Partial<AlertsOptions> = {},
  nowMs = 1_700_000_000_000,
) {
  const lines: Line[] = [];
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, text: `${message} ${JSON.stringify(fields)}` });
  const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const low = rule('disk_space < 10%', {
    name: 'disk_low',
    level: 'critical',
    message: '{disk}: {value} free',
  });
  const settings = { rules: [low], metrics: [], disks: [], repeatMs: 60_000, historySize: 10, channels };
  const alerts = new Alerts(settings, { teller: TELLER, log, firstPauseMs: 10, now: () => nowMs, ...more });
  onTestFinished(async () => await alerts.close(100));
  const free = (share: number, atMs: number): void =>
    void alerts.observe(samples({ disk_space: [[{ disk: '/data' }, share]] }), atMs);
  const channel = (name = 'ops') => alerts.state().channels.find((one) => one.name === name)!;
  return { alerts, free, lines, channel };
}

interface Request {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function httpServer(answer: (requests: readonly Request[], response: ServerResponse) => void) {
  const requests: Request[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => void parts.push(part));
    request.on('end', () => {
      requests.push({ headers: request.headers, body: Buffer.concat(parts).toString() });
      answer(requests, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { requests, url: new Secret(`http://127.0.0.1:${port}/topsecret`) };
}

const hook = (url: Secret, more: object = {}) =>
  ({ ...COMMON, type: 'webhook', url, secret: null, headers: {}, ...more }) as const;

describe('a webhook', () => {
  it('gets what fired and what was resolved, signed, with a time', async () => {
    const { requests, url } = await httpServer((_, response) => void response.end());
    const headers = { Authorization: new Secret('Bearer abc') };
    const { free, channel } = alertsWith([hook(url, { secret: new Secret(KEY), headers })]);
    free(0.09, 1_000);
    await waitUntil(() => channel().sent === 1, { what: 'a delivery' });
    free(0.5, 2_000);
    await waitUntil(() => channel().sent === 2, { what: 'two deliveries' });
    expect(requests.map(({ body }) => JSON.parse(body) as unknown)).toMatchObject([
      {
        version: 1,
        pipeline: 'shop',
        instance: { host: 'h1', role: 'all', pid: 7, startedAt: '1970-01-01T00:00:05.000Z' },
        alerts: [
          {
            status: 'firing',
            rule: 'disk_low',
            fingerprint: FINGERPRINT,
            runbook: 'docs/alerts.md#disk_low',
            level: 'critical',
            labels: { disk: '/data' },
            message: '/data: 9 % free',
            value: 0.09,
            condition: 'disk_space < 10%',
            firedAt: '1970-01-01T00:00:01.000Z',
            resolvedAt: null,
          },
        ],
        leftOff: 0,
      },
      {
        alerts: [
          {
            status: 'resolved',
            fingerprint: FINGERPRINT,
            message: 'was: /data: 9 % free',
            resolvedAt: '1970-01-01T00:00:02.000Z',
          },
        ],
      },
    ]);
    for (const { headers, body } of requests) {
      expect(headers['authorization']).toBe('Bearer abc');
      expect(headers['x-rowferry-timestamp']).toBe('1700000000');
      expect(headers['x-rowferry-signature']).toBe(signatureOf(KEY, '1700000000', body));
    }
  });

  it('the signature is HMAC-SHA256 of `time.body`, as any receiver computes it', () => {
    // printf '1700000000.{}' | openssl dgst -sha256 -hmac key
    expect(signatureOf('key', '1700000000', '{}')).toBe(
      'v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae',
    );
  });

  it('that is away or refuses is told of the present state once it is back, however long that takes', async () => {
    let status = 503;
    const { requests, url } = await httpServer((_, response) => {
      response.statusCode = status;
      response.end('topsecret');
    });
    const { free, lines, channel, alerts } = alertsWith([hook(url)]);
    free(0.09, 1_000);
    await waitUntil(() => requests.length >= 8, { what: 'eight tries' });
    const ids = requests.slice(0, 8).map(({ headers }) => headers['x-rowferry-delivery']);
    expect(new Set(ids).size).toBe(1);
    status = 403;
    await waitUntil(() => channel().error === 'answered with status 403', { what: 'a refusal' });
    // Told again: it is news to whoever has not heard of it.
    free(0.05, 62_000);
    expect(channel()).toMatchObject({ state: 'failing', waiting: 1, sent: 0, lost: 0 });
    status = 200;
    await waitUntil(() => channel().sent === 1, { what: 'the delivery' });
    expect(JSON.parse(requests.at(-1)?.body ?? '')).toMatchObject({
      alerts: [{ status: 'firing', value: 0.05, firedAt: '1970-01-01T00:00:01.000Z' }],
    });
    status = 503;
    free(0.5, 63_000);
    free(0.05, 64_000);
    free(0.5, 65_000);
    await waitUntil(() => channel().state === 'failing', { what: 'the failure' });
    status = 200;
    await waitUntil(() => channel().sent === 2, { what: 'the end' });
    expect(JSON.parse(requests.at(-1)?.body ?? '')).toMatchObject({
      alerts: [{ status: 'resolved', firedAt: '1970-01-01T00:01:04.000Z' }],
    });
    expect(channel()).toMatchObject({ state: 'ok', error: null, lost: 0, waiting: 0 });
    // Said once when it began and once when it ended, however many tries there were.
    expect(lines.map(({ level, text }) => `${level}: ${text.split(' {')[0]}`)).toEqual([
      'error: alerts do not get through: channel ops answered with status 503',
      'error: channel ops is not told of: disk_low',
      'info: alerts get through channel ops again',
      'error: alerts do not get through: channel ops answered with status 503',
      'error: channel ops is not told of: disk_low',
      'info: alerts get through channel ops again',
    ]);
    expect(JSON.stringify([lines, alerts.state()])).not.toContain('topsecret');
  });

  it('takes user and password of its URL as a header', async () => {
    const { requests, url } = await httpServer((_, response) => void response.end());
    const login = new URL(url.reveal());
    login.username = 'me';
    login.password = 'p@ss';
    const { free, channel } = alertsWith([hook(new Secret(login.href))]);
    free(0.09, 1_000);
    await waitUntil(() => channel().sent === 1, { what: 'the delivery' });
    expect(requests[0]?.headers['authorization']).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
  });

  it('hears at the next start what it was not told, and of the end of what fired before', async () => {
    const { requests, url } = await httpServer((seen, response) => {
      response.statusCode = seen.length === 1 ? 503 : 200;
      response.end();
    });
    let kept: KeptAlerts | undefined;
    const keep = (now: KeptAlerts): void => void (kept = JSON.parse(JSON.stringify(now)) as KeptAlerts);
    const first = alertsWith([hook(url)], { keep, firstPauseMs: 60_000 });
    first.free(0.09, 1_000);
    await waitUntil(() => first.channel().state === 'failing', { what: 'the failure' });
    await first.alerts.close(0);
    expect(first.lines.at(-1)?.text).toContain('stopped before channel ops was told of: disk_low');
    const second = alertsWith([hook(url)], { keep, ...(kept === undefined ? {} : { kept }) });
    await waitUntil(() => second.channel().sent === 1, { what: 'the alert' });
    second.free(0.5, 9_000);
    await waitUntil(() => second.channel().sent === 2, { what: 'its end' });
    const told = requests.slice(1).map(({ body }) => (JSON.parse(body) as { alerts: object[] }).alerts[0]);
    expect(told).toMatchObject([
      { status: 'firing', fingerprint: FINGERPRINT, firedAt: '1970-01-01T00:00:01.000Z' },
      { status: 'resolved', fingerprint: FINGERPRINT, resolvedAt: '1970-01-01T00:00:09.000Z' },
    ]);
    await waitUntil(() => kept?.waiting['ops']?.length === 0, { what: 'nothing to wait any more' });
    expect(kept?.firing).toEqual([]);
  });

  it('is not followed to another place', async () => {
    const other = await httpServer((_, response) => void response.end());
    const { url } = await httpServer((_, response) => {
      response.writeHead(307, { location: other.url.reveal() }).end();
    });
    const { free, channel } = alertsWith([hook(url)]);
    free(0.09, 1_000);
    await waitUntil(() => channel().error === 'answered with status 307', { what: 'the refusal' });
    expect(other.requests).toEqual([]);
  });

  it('that never answers is given its time, tried again, and left when the daemon stops', async () => {
    const { requests, url } = await httpServer(() => undefined);
    const { free, channel, alerts } = alertsWith([hook(url, { timeoutMs: 50 })]);
    free(0.09, 1_000);
    await waitUntil(() => requests.length >= 2, { what: 'a second try' });
    expect(channel()).toMatchObject({ state: 'failing', error: 'no answer in time' });
    await alerts.close(0);
    expect(channel().waiting).toBe(0);
  });

  it('a failing channel does not hold up the others', async () => {
    const { url } = await httpServer((_, response) => void response.end());
    const nobody = hook(new Secret('http://127.0.0.1:1/topsecret'), { name: 'nobody' });
    const { free, channel } = alertsWith([nobody, hook(url)]);
    free(0.09, 1_000);
    await waitUntil(() => channel().sent === 1, { what: 'the other delivery' });
    await waitUntil(() => channel('nobody').state === 'failing', { what: 'the failure' });
    expect(channel('nobody').error).toMatch(/^no connection \(\w+\)$/);
  });

  it('what waits is bounded: the oldest makes way', async () => {
    const { requests, url } = await httpServer(() => undefined);
    const { alerts, channel } = alertsWith([hook(url)]);
    const disks = Array.from({ length: 1_050 }, (_, i) => [{ disk: `/d${i}` }, 0.09] as const);
    alerts.observe(samples({ disk_space: disks }), 0);
    await waitUntil(() => requests.length === 1, { what: 'the first request' });
    expect(channel()).toMatchObject({ waiting: 1_000, lost: 50 });
    expect(JSON.parse(requests[0]?.body ?? '')).toMatchObject({ alerts: { length: 100 }, leftOff: 900 });
  });
});

async function mailServer(options: SMTPServerOptions = {}) {
  const mails: string[] = [];
  const logins: string[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth: (auth, _, done) => {
      logins.push(`${auth.username}:${auth.password}`);
      done(auth.password === 'p@ss' ? null : new Error('no topsecret'), { user: 'x' });
    },
    onData: (stream, session, done) => {
      const parts: Buffer[] = [session.envelope.rcptTo.map(({ address }) => address).join(',')].map((to) =>
        Buffer.from(`${to}\n`),
      );
      stream.on('data', (part: Buffer) => void parts.push(part));
      stream.on('end', () => {
        mails.push(Buffer.concat(parts).toString());
        done();
      });
    },
    ...options,
  });
  // A client that leaves in the middle is no failure of the test.
  server.on('error', () => undefined);
  server.listen(0, '0.0.0.0');
  await once(server.server, 'listening');
  onTestFinished(async () => await new Promise<void>((resolve) => server.close(resolve)));
  const { port } = server.server.address() as AddressInfo;
  return { mails, logins, port };
}

const mailTo = (url: string) =>
  ({
    ...COMMON,
    type: 'email',
    url: new Secret(url),
    from: 'rowferry <r@a.example>',
    to: ['x@a.example', 'y@a.example'],
  }) as const;

describe('a mail', () => {
  it('goes to every receiver, and says what, where and since when', async () => {
    const { mails, logins, port } = await mailServer();
    const { free, channel } = alertsWith([mailTo(`smtp://me:p%40ss@127.0.0.1:${port}`)]);
    free(0.09, 1_000);
    await waitUntil(() => channel().sent === 1, { what: 'the mail' });
    expect(logins).toEqual(['me:p@ss']);
    expect(mails[0]).toMatch(/^x@a\.example,y@a\.example\n/);
    expect(mails[0]).toContain('Subject: [rowferry shop] CRITICAL disk_low: /data: 9 % free\r\n');
    expect(mails[0]).toContain('disk /data\r\n  disk_space < 10%, since 1970-01-01T00:00:01.000Z');
  });

  it('that the server refuses shows the answer’s number alone', async () => {
    const { port } = await mailServer();
    const { free, channel, lines } = alertsWith([mailTo(`smtp://me:topsecret@127.0.0.1:${port}`)]);
    free(0.09, 1_000);
    await waitUntil(() => channel().state === 'failing', { what: 'the refusal' });
    expect(channel().error).toBe('could not be sent (EAUTH, the server answered 535)');
    expect(JSON.stringify(lines)).not.toContain('topsecret');
  });

  it('a password does not travel in the open to another machine', async () => {
    const { logins, mails, port } = await mailServer();
    // An address that rowferry does not know to be this machine's.
    const { free, channel } = alertsWith([mailTo(`smtp://me:p%40ss@127.0.0.2:${port}`)]);
    free(0.09, 1_000);
    await waitUntil(() => channel().state === 'failing', { what: 'the failure' });
    expect([...logins, ...mails]).toEqual([]);
  });

  it('to a server that falls silent is given up in time', async () => {
    const { port } = await mailServer({ onMailFrom: () => undefined });
    const { free, channel } = alertsWith([{ ...mailTo(`smtp://127.0.0.1:${port}`), timeoutMs: 100 }]);
    free(0.09, 1_000);
    await waitUntil(() => channel().state === 'failing', { what: 'the failure' });
    expect(channel().error).toMatch(/^(no answer in time|could not be sent \(ETIMEDOUT\))$/);
  });
});

describe('a command', () => {
  const folder = (): string => {
    const path = mkdtempSync(join(tmpdir(), 'rowferry-alerts-'));
    onTestFinished(() => rmSync(path, { recursive: true, force: true }));
    return path;
  };
  const command = (script: string, args: readonly string[] = [], more: object = {}) =>
    ({ ...COMMON, type: 'command', command: [process.execPath, '-e', script, ...args], ...more }) as const;

  it('gets the alerts on standard input, its arguments as they are, and none of our variables', async () => {
    const file = join(folder(), 'seen');
    process.env['ROWFERRY_TEST_PASSWORD'] = 'topsecret';
    onTestFinished(() => void delete process.env['ROWFERRY_TEST_PASSWORD']);
    const script = `const fs = require('fs'); fs.writeFileSync(process.argv[1], JSON.stringify({ arg: process.argv[2], env: process.env, input: fs.readFileSync(0, 'utf8') }))`;
    const { free, channel } = alertsWith([command(script, [file, '$(id); "x"'])]);
    free(0.09, 1_000);
    await waitUntil(() => channel().sent === 1, { what: 'the command' });
    const seen = JSON.parse(readFileSync(file, 'utf8')) as { arg: string; env: object; input: string };
    expect(seen.arg).toBe('$(id); "x"');
    expect(JSON.stringify(seen.env)).not.toContain('topsecret');
    expect(JSON.parse(seen.input)).toMatchObject({ alerts: [{ rule: 'disk_low', status: 'firing' }] });
  });

  it('that does not read its input may still succeed', async () => {
    const { alerts, channel } = alertsWith([command('process.exit(0)')]);
    // More than a pipe holds, so that writing it meets the end of the program.
    alerts.observe(samples({ disk_space: [[{ disk: 'd'.repeat(2 ** 20) }, 0]] }), 1_000);
    await waitUntil(() => channel().sent === 1, { what: 'the command' });
  });

  it('that fails is run again', async () => {
    const file = join(folder(), 'tries');
    const script = `const fs = require('fs'); fs.appendFileSync(process.argv[1], 'x'); process.exit(fs.readFileSync(process.argv[1]).length < 3 ? 7 : 0)`;
    const { free, channel, lines } = alertsWith([command(script, [file])]);
    free(0.09, 1_000);
    await waitUntil(() => channel().sent === 1, { what: 'the command' });
    expect(readFileSync(file, 'utf8')).toBe('xxx');
    expect(lines[0]?.text).toContain('channel ops ended with code 7');
  });

  it('that does not end is killed with what it started', async () => {
    const file = join(folder(), 'pid');
    const script = `const { spawn } = require('child_process'); const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']); require('fs').writeFileSync(process.argv[1], String(child.pid)); setInterval(() => {}, 1e6)`;
    const { free, channel } = alertsWith([command(script, [file], { timeoutMs: 1_000 })]);
    free(0.09, 1_000);
    await waitUntil(() => channel().state === 'failing', { what: 'the command to be killed' });
    expect(channel().error).toBe('did not end in time and was killed');
    const isGone = (): boolean => existsSync(file) && !isRunning(Number(readFileSync(file, 'utf8')));
    await waitUntil(isGone, { what: 'its child to end' });
  });

  it('that is not there is told', async () => {
    const { free, channel } = alertsWith([{ ...COMMON, type: 'command', command: ['/nowhere/page'] }]);
    free(0.09, 1_000);
    await waitUntil(() => channel().state === 'failing', { what: 'the failure' });
    expect(channel().error).toBe('cannot be started (ENOENT)');
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A killed process that nobody has waited for yet still has its number.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('what everybody hears', () => {
  it('a channel hears of its levels and of rules that name it', async () => {
    const { url } = await httpServer((_, response) => void response.end());
    const { free, channel } = alertsWith([
      hook(url, { leastLevel: 'emergency' }),
      hook(url, { name: 'all' }),
    ]);
    free(0.09, 1_000);
    await waitUntil(() => channel('all').sent === 1, { what: 'the delivery' });
    expect(channel()).toMatchObject({ state: 'idle', sent: 0, waiting: 0 });
  });

  it('the log tells of what fires and what is resolved', async () => {
    const { free, lines, channel } = alertsWith([{ name: 'log', type: 'log', leastLevel: 'warning' }]);
    free(0.09, 1_000);
    await waitUntil(() => lines.length === 1, { what: 'a line' });
    free(0.5, 2_000);
    await waitUntil(() => channel('log').sent === 2, { what: 'both lines' });
    expect(lines.map(({ level, text }) => `${level}: ${text.split(' {')[0]}`)).toEqual([
      'error: disk_low firing: /data: 9 % free',
      'info: disk_low resolved: was: /data: 9 % free',
    ]);
  });

  it('the state shows rules without data, what fires and what was', () => {
    const { alerts, free } = alertsWith([]);
    expect(alerts.state()).toMatchObject({ atMs: null, rules: [{ name: 'disk_low', hasData: false }] });
    free(0.09, 1_000);
    expect(alerts.state()).toMatchObject({
      atMs: 1_000,
      rules: [{ hasData: true, firing: 1, pending: 0 }],
      active: [{ rule: 'disk_low', value: 0.09 }],
      history: [{ kind: 'fired' }],
    });
  });

  it('a silence lasts as long as it was to, whatever is done to the clock', () => {
    let clock = 0;
    const { alerts, free } = alertsWith([], { clock: () => clock });
    free(0.5, 7_200_000);
    alerts.silence({ rule: null, labels: {}, forMs: 60_000, reason: 'planned' });
    clock = 59_999;
    free(0.09, 3_600_000);
    expect(alerts.state()).toMatchObject({ active: [{ toldMs: null }], silences: [{ untilMs: 3_600_001 }] });
    clock = 60_000;
    free(0.09, 3_600_001);
    expect(alerts.state()).toMatchObject({ active: [{ toldMs: 3_600_001 }], silences: [] });
  });

  it('a silence can be ended early', () => {
    const { alerts, free } = alertsWith([]);
    const id = alerts.silence({ rule: 'disk_low', labels: {}, forMs: 99_000, reason: 'planned' });
    free(0.09, 1_000);
    expect(alerts.state()).toMatchObject({
      active: [{ toldMs: null }],
      silences: [{ id, reason: 'planned' }],
    });
    expect(alerts.endSilence(id)).toBe(true);
    expect(alerts.endSilence(id)).toBe(false);
    free(0.09, 2_000);
    expect(alerts.state().active).toMatchObject([{ toldMs: 2_000 }]);
  });
});

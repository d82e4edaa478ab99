import { describe, expect, it } from 'vitest';
import { EnvironmentProvider } from '../../../scripts/sandbox/environment-provider.ts';
import type { ServerRequest } from '../../../scripts/sandbox/server.ts';

const REQUEST: ServerRequest = { kind: 'mysql', name: 'src', serverId: 101, flags: [] };

describe('servers of the environment', () => {
  it('are no way without the variable', async () => {
    const offer = await new EnvironmentProvider({ ROWFERRY_SANDBOX_MYSQL_URL: ' ' }).offer(REQUEST);
    expect(offer).toEqual({ unavailable: 'ROWFERRY_SANDBOX_MYSQL_URL is not set' });
  });

  it('must answer when named', async () => {
    const env = { ROWFERRY_SANDBOX_MYSQL_URL: 'mysql://root:secret@127.0.0.1:1' };
    const offer = new EnvironmentProvider(env).offer(REQUEST);
    await expect(offer).rejects.toThrow('127.0.0.1:1 from ROWFERRY_SANDBOX_MYSQL_URL does not answer');
    await expect(offer).rejects.not.toThrow('secret');
  });

  it('must be URLs', async () => {
    const offer = new EnvironmentProvider({ ROWFERRY_SANDBOX_MYSQL_URL: 'localhost' }).offer(REQUEST);
    await expect(offer).rejects.toThrow('write it like mysql://root:secret@127.0.0.1:3306');
  });

  it('must be enough', async () => {
    const provider = new EnvironmentProvider({ ROWFERRY_SANDBOX_MYSQL_URL: 'mysql://root@127.0.0.1:1' });
    await expect(provider.offer(REQUEST)).rejects.toThrow('does not answer');
    await expect(provider.offer({ ...REQUEST, name: 'shard' })).rejects.toThrow('names 1 server(s)');
  });
});

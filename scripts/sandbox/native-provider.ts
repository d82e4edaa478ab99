import { chmod, chown, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDir } from './cache.ts';
import { prepareKafka } from './native-kafka.ts';
import { prepareMysql } from './native-mysql.ts';
import { preparePostgres } from './native-postgres.ts';
import { NativeServer, type NativeBlueprint } from './native-server.ts';
import { OrphanGuard } from './orphan-guard.ts';
import { isReachable, serverIdentity, type ServerIdentity } from './server-identity.ts';
import type { Offer, ServerKind, ServerProvider, ServerRequest } from './server.ts';

const PREPARE: Readonly<
  Record<ServerKind, (request: ServerRequest, home: string) => Promise<NativeBlueprint>>
> = {
  mysql: prepareMysql,
  mariadb: prepareMysql,
  postgres: preparePostgres,
  kafka: prepareKafka,
};

/** Servers as processes of this machine, with their data in one temporary folder that ends with the provider. */
export class NativeProvider implements ServerProvider {
  readonly name = 'native';
  readonly #identity: ServerIdentity | undefined = serverIdentity();
  #run: Promise<{ folder: string; guard: OrphanGuard }> | undefined;

  async offer(request: ServerRequest): Promise<Offer> {
    this.#run ??= this.#openRun();
    const { folder, guard } = await this.#run;
    const home = join(folder, `${request.kind}-${request.name}`);
    await mkdir(home, { mode: 0o755 });
    if (this.#identity !== undefined) await chown(home, this.#identity.uid, this.#identity.gid);
    const blueprint = await PREPARE[request.kind](request, home);
    const server = new NativeServer(request, blueprint, guard, this.#identity);
    await server.start();
    return { server };
  }

  async #openRun(): Promise<{ folder: string; guard: OrphanGuard }> {
    // A cache that cannot be used is a mistake to report, not a reason for each server to look elsewhere.
    cacheDir();
    const parent = isReachable(tmpdir(), this.#identity) ? tmpdir() : '/tmp';
    const folder = await mkdtemp(join(parent, 'rowferry-sandbox-'));
    await chmod(folder, 0o755);
    return { folder, guard: new OrphanGuard(folder) };
  }

  /** Kills what still runs and removes all data. */
  async close(): Promise<void> {
    const run = await this.#run?.catch(() => undefined);
    await run?.guard.close();
  }
}

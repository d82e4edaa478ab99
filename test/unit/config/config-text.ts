import { parseConfig } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/config.ts';
import type { Surroundings } from '../../../src/config/interpolate.ts';
import { RowferryError } from '../../../src/errors.ts';

/** A good configuration; tests change one thing of it. */
export const GOOD = `name: shop
kafka: { brokers: ["127.0.0.1:9092"], partitions: 4, replicationFactor: 1 }
sources:
  main: { url: "mysql://rowferry:\${env:SRC_PASSWORD}@127.0.0.1:3306", serverId: 4711, tables: ["shop.*", "!shop.audit"] }
targets:
  a: { url: "mysql://writer:pw@db-a/shop" }
  b: { url: "postgres://writer:pw@db-b/shop" }
routes:
  - { from: shop.orders, to: orders, shards: { by: user_id, algorithm: modulo, on: [a, b] } }
  - { from: shop.users, target: a }
`;

const ENV = { SRC_PASSWORD: 'geheim' };

export function parse(text: string, surroundings: Partial<Surroundings> = {}): Config {
  return parseConfig('shop.yaml', text, { env: ENV, readFile: missingFile, ...surroundings });
}

/** The problems of a configuration, one a line; fails when it has none. */
export function problems(text: string, surroundings: Partial<Surroundings> = {}): string[] {
  try {
    parse(text, surroundings);
  } catch (error) {
    if (error instanceof RowferryError && error.code === 'ROWFERRY_CONFIG_INVALID')
      return error.message.split('\n');
    throw error;
  }
  throw new Error('the configuration was accepted');
}

/** The good configuration with one text replaced, which must be there. */
export function but(old: string, replacement: string, text = GOOD): string {
  if (!text.includes(old)) throw new Error(`the good configuration has no ${old}`);
  return text.replace(old, replacement);
}

function missingFile(): never {
  throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
}

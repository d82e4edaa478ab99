/** Database URLs: `mysql://user:password@host:port/database`, read into parts and printed without the password. */
import type { DatabaseUrl } from './config.ts';
import { Secret } from './secret.ts';

/** A URL's own part of `DatabaseUrl`; TLS has options of its own. */
type DatabaseAddress = Omit<DatabaseUrl, 'tls'>;

const SCHEMES: Readonly<Record<string, { readonly engine: DatabaseUrl['engine']; readonly port: number }>> = {
  'mysql:': { engine: 'mysql', port: 3306 },
  'mariadb:': { engine: 'mysql', port: 3306 },
  'postgres:': { engine: 'postgres', port: 5432 },
  'postgresql:': { engine: 'postgres', port: 5432 },
};

/** Takes a URL apart. User, password and database are percent-decoded. What is wrong never quotes the URL. */
export function parseDatabaseUrl(
  text: string,
  role: 'source' | 'target',
): { readonly value: DatabaseAddress } | { readonly wrong: string } {
  if (!URL.canParse(text)) {
    return {
      wrong:
        'must be a URL such as mysql://user:password@host:3306/database; percent-encode @ : / ? # in a written password',
    };
  }
  const url = new URL(text);
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) return { wrong: 'must start with mysql://, mariadb:// or postgres://' };
  const { engine } = scheme;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const user = decode(url.username);
  const password = decode(url.password);
  const database = decode(url.pathname.replace(/^\//, ''));
  if (user === undefined || password === undefined || database === undefined) {
    return { wrong: 'holds a % that is no percent-encoding; write %25 for %' };
  }
  if (host === '') return { wrong: 'names no host' };
  if (user === '') return { wrong: `names no user; write ${url.protocol}//user:password@…` };
  if (url.search !== '') return { wrong: 'takes no ?parameters; TLS has an option `tls` beside `url`' };
  if (url.hash !== '') return { wrong: 'holds a #; percent-encode it as %23 in a password' };
  if (role === 'source' && engine === 'postgres') {
    return {
      wrong: 'must be MySQL or MariaDB: a source is read from its binlog; PostgreSQL can be a target',
    };
  }
  if (role === 'source' && database !== '') {
    return { wrong: 'must name no database; `tables` says which schemas and tables are captured' };
  }
  if (role === 'target' && (database === '' || database.includes('/'))) {
    return { wrong: 'must end in one database, such as mysql://user:password@host:3306/shop' };
  }
  const port = url.port === '' ? scheme.port : Number(url.port);
  return { value: { engine, host, port, user, password: new Secret(password), database } };
}

/** The URL as it may be shown: `mysql://rowferry:***@host:3306/shop`. */
export function formatDatabaseUrl(url: DatabaseAddress): string {
  const host = url.host.includes(':') ? `[${url.host}]` : url.host;
  const password = url.password.reveal() === '' ? '' : ':***';
  const database = url.database === '' ? '' : `/${encodeURIComponent(url.database)}`;
  return `${url.engine}://${encodeURIComponent(url.user)}${password}@${host}:${url.port}${database}`;
}

/** The server of a URL, the same for two spellings of the local host. */
export function serverOf(url: DatabaseAddress): string {
  const host = url.host.toLowerCase();
  return `${url.engine}://${host === 'localhost' ? '127.0.0.1' : host}:${url.port}`;
}

export function sameServer(a: DatabaseAddress, b: DatabaseAddress): boolean {
  return serverOf(a) === serverOf(b);
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

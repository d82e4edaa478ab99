/** What an account of MySQL or MariaDB may do, as `SHOW GRANTS` tells it. */

interface Grant {
  readonly verb: 'GRANT' | 'REVOKE';
  readonly privileges: readonly string[];
  /** As LIKE compares it; null for every schema. */
  readonly schema: string | null;
  /** Null for every table. */
  readonly table: string | null;
}

const NAME = '(?:\\*|`(?:[^`]|``)+`)';
const LINE = new RegExp(`^(GRANT|REVOKE) (.+?) ON (?:TABLE )?(${NAME})\\.(${NAME}) (?:TO|FROM) `);

export class MysqlGrants {
  readonly #grants: readonly Grant[];

  /** Lines of `SHOW GRANTS`, those of roles in force among them; of a role that is only named nothing is known. */
  constructor(lines: readonly string[]) {
    this.#grants = lines.flatMap((line): Grant[] => {
      const [, verb, names = '', schema = '', table = ''] = LINE.exec(line) ?? [];
      if (verb !== 'GRANT' && verb !== 'REVOKE') return [];
      // What is granted for single columns does not do for rows.
      const privileges = names.split(/, (?![^(]*\))/).filter((name) => !name.includes('('));
      return [{ verb, privileges, schema: nameOf(schema), table: nameOf(table) }];
    });
  }

  /** Those of `privileges` that the account does not have on the table, or on every table of the schema. */
  lacking(privileges: readonly string[], schema: string, table: string | null = null): string[] {
    return privileges.filter((privilege) => !this.#has(privilege, schema, table));
  }

  #has(privilege: string, schema: string, table: string | null): boolean {
    const of = this.#grants.filter(
      (grant) =>
        (grant.privileges.includes(privilege) || grant.privileges.includes('ALL PRIVILEGES')) &&
        (grant.schema === null || isLike(schema, grant.schema)) &&
        (grant.table === null || grant.table === table),
    );
    // A part of what is granted everywhere may be taken back for a schema; what is granted there counts again.
    const isRevoked = of.some(({ verb }) => verb === 'REVOKE');
    return of.some(({ verb, schema: scope }) => verb === 'GRANT' && (scope !== null || !isRevoked));
  }
}

/** Asks for the grants of the session's own account, with those of its roles in force. */
export async function readMysqlGrants(
  query: (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>,
): Promise<MysqlGrants> {
  const [session] = await query('SELECT CURRENT_ROLE() AS roles, VERSION() AS version');
  const [roles, version] = [session?.['roles'], session?.['version']];
  const isMysql = typeof version === 'string' && !version.includes('MariaDB');
  // MariaDB shows the role in force by itself.
  const using = isMysql && typeof roles === 'string' && roles !== 'NONE' ? ` USING ${roles}` : '';
  const rows = await query(using === '' ? 'SHOW GRANTS' : `SHOW GRANTS FOR CURRENT_USER()${using}`);
  return new MysqlGrants(rows.flatMap((row) => Object.values(row).map(String)));
}

/** As the server compares the schema of a grant. */
export function isLike(name: string, pattern: string): boolean {
  const source = pattern.replaceAll(/\\[%_\\]|[%_]|[^%_\\]+/g, (part) => {
    if (part === '%') return '.*';
    return part === '_' ? '.' : plain(part.startsWith('\\') ? part.slice(1) : part);
  });
  return new RegExp(`^${source}$`, 'is').test(name);
}

function plain(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

function nameOf(quoted: string): string | null {
  return quoted === '*' ? null : quoted.slice(1, -1).replaceAll('``', '`');
}

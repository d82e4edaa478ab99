import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classifyStatement } from '../../../src/capture/statement.ts';
import type { Statement } from '../../../src/capture/statement.ts';
import type { TableEffect } from '../../../src/capture/table-effect.ts';
import { columnText, CORPUS, indexText } from './statement-corpus.ts';
import type { CorpusEntry } from './statement-corpus.ts';

function effectText(effect: TableEffect): string {
  if (effect.kind === 'other') return 'stops';
  if (effect.kind !== 'additive') return effect.kind;
  return effect.steps
    .map((step) => {
      if (step.kind === 'add index') return indexText(step.index);
      return `${step.kind === 'add column' ? 'add' : 'widen'} ${columnText(step.column)}`;
    })
    .join('; ');
}

/** What a statement does, without what is only shown. */
function answer({ verb, effect, tables }: Statement): CorpusEntry & { readonly sql: '' } {
  const effects = [...new Set(tables.map(({ does }) => effectText(does)))];
  return {
    sql: '',
    verb,
    tables: tables.map(({ schema, table }) => `${schema}.${table}`),
    effect: effect === 'none' ? 'none' : effects.join(' | '),
  };
}

/** What an operator may see of it. */
function shown(statement: Statement): string[] {
  const whys = statement.tables.map(({ does }) => (does.kind === 'other' ? does.why : ''));
  const names = statement.tables
    .filter(({ mayBeValue }) => !mayBeValue)
    .map(({ schema, table }) => `${schema}.${table}`);
  return [statement.verb, ...whys, ...names];
}

const sample = fc.constantFrom(...CORPUS);
const runs = { numRuns: 2000 };

/** The pieces of a statement between which whitespace means nothing; a name and its point stay together. */
function pieces(sql: string): string[] {
  return (
    sql.match(
      /\/\*[\s\S]*?\*\/|-- [^\n]*\n|(?:`(?:[^`]|``)*`|[a-z_][\w$]*)(?:\.(?:`(?:[^`]|``)*`|[\w$]+))+|[bx_][a-z\d]*'[^']*'|`(?:[^`]|``)*`|'(?:[^'\\]|\\.|'')*'|"[^"]*"|[-+]?\d[\d.]*e-\d+|[-+]?[\w.$]+|\S/gi,
    ) ?? []
  );
}

const GAPS = [
  ' ',
  '\n',
  '\t ',
  ' /* a comment, DROP TABLE x */ ',
  ' -- a comment; TRUNCATE y\n',
  ' # and "more\n',
];

describe('what a statement does', () => {
  it.each(CORPUS)('$sql', ({ sql, verb, tables, effect }) => {
    expect(answer(classifyStatement(sql, 'shop'))).toEqual({ sql: '', verb, tables, effect });
  });

  it('says why a table stops', () => {
    const why = (sql: string): unknown => classifyStatement(sql, 'shop').tables.map(({ does }) => does);
    expect(why('ALTER TABLE orders DROP a')).toEqual([{ kind: 'other', why: 'drops a column' }]);
    for (const rename of ['RENAME COLUMN b TO c', 'CHANGE b c INT'])
      for (const clauses of [
        `DROP a, ${rename}`,
        `${rename}, ADD d INT`,
        `ADD d INT, MODIFY e INT, ${rename}`,
      ])
        expect(why(`ALTER TABLE orders ${clauses}`)).toEqual([{ kind: 'other', why: 'renames a column' }]);
    expect(why('ALTER TABLE orders ADD a INT NOT NULL')).toEqual([
      {
        kind: 'other',
        why: 'adds a NOT NULL column without a default, which each server fills in its own way',
      },
    ]);
    expect(why('RENAME TABLE orders TO old')).toEqual(
      Array.from({ length: 2 }, () => ({ kind: 'other', why: 'renames a table' })),
    );
  });

  it('knows what JSON and the default of a TEXT are at MariaDB', () => {
    const at = (definition: string): string =>
      answer(classifyStatement(`ALTER TABLE orders ADD a ${definition}`, 'shop', 'mariadb')).effect;
    expect(at('JSON')).toBe('add a longtext charset utf8mb4 collate utf8mb4_bin null');
    expect(at("TEXT NOT NULL DEFAULT 'x'")).toBe('add a text not null default <x>');
  });

  it('is the same however it is spaced, commented and capitalised', () => {
    const gaps = fc.array(fc.constantFrom(...GAPS), { minLength: 60, maxLength: 60 });
    const cases = fc.array(fc.boolean(), { minLength: 60, maxLength: 60 });
    const keyword =
      /^(?:[A-Z_]{2,}|create|alter|table|rename|drop|add|column|to|if|exists|like|varchar|datetime|int)$/;
    const kept = /^(?:NAME|PRIMARY)$/;
    fc.assert(
      fc.property(sample, gaps, cases, ({ sql, verb, tables, effect }, gaps, cases) => {
        const text = pieces(sql)
          .map((piece, i) => {
            const isKeyword = keyword.test(piece) && !kept.test(piece);
            const cased = isKeyword
              ? cases[i % 60] === true
                ? piece.toLowerCase()
                : piece.toUpperCase()
              : piece;
            return cased + (gaps[i % 60] ?? ' ');
          })
          .join('');
        expect(answer(classifyStatement(text, 'shop'))).toEqual({ sql: '', verb, tables, effect });
      }),
      runs,
    );
  });

  it('is the same whether its table is quoted or given its schema', () => {
    const spelling = fc.constantFrom(
      'orders',
      '`orders`',
      'shop.orders',
      '`shop`.`orders`',
      '`shop` . orders',
      '"orders"',
    );
    const altered = CORPUS.filter(({ sql }) => /^(?:ALTER TABLE|TRUNCATE TABLE) orders\b/.test(sql));
    fc.assert(
      fc.property(fc.constantFrom(...altered), spelling, ({ sql, verb, tables, effect }, name) => {
        const text = sql.replace('orders', () => name);
        expect(answer(classifyStatement(text, 'shop'))).toEqual({ sql: '', verb, tables, effect });
      }),
      runs,
    );
  });

  it('never passes in silence what stops a table because a token more stands in it', () => {
    const stops = CORPUS.filter(({ effect }) => effect === 'stops');
    const token = fc.constantFrom(
      ',',
      'FORCE',
      'x',
      '`x`',
      "'x'",
      '"',
      "'",
      '`',
      '(',
      ')',
      '1',
      '=',
      'NULL',
      'FIRST',
      '/*',
      '*/',
      '/*!99999',
      '#',
      '-- ',
      'COMMENT',
      ';',
      '\\',
      'ONLINE',
    );
    fc.assert(
      fc.property(fc.constantFrom(...stops), fc.nat(60), token, ({ sql }, at, extra) => {
        const parts = pieces(sql);
        // Behind the verb and its object: another object is another statement.
        const from = parts.findIndex((part) => /^(?:orders|`|\w+\.|_|a$)/i.test(part));
        const place = from + 1 + (at % (parts.length - from));
        const text = [...parts.slice(0, place), extra, ...parts.slice(place)].join(' ');
        const { effect, tables } = classifyStatement(text, 'shop');
        const isHidden = ['#', '-- ', '/*!99999', '/*'].includes(extra);
        // What a comment takes out was not there.
        if (isHidden) return;
        expect([text, effect]).not.toEqual([text, 'none']);
        // Without a table it may be any.
        const kinds = [...new Set(tables.map(({ does }) => does.kind))];
        expect([text, kinds]).not.toEqual([text, ['none']]);
      }),
      runs,
    );
  });

  it('never passes in silence a statement of one clause that was cut', () => {
    const single = CORPUS.filter(
      ({ sql, effect, tables }) => tables.length === 1 && effect === 'stops' && !/,|CASCADE/.test(sql),
    );
    fc.assert(
      fc.property(fc.constantFrom(...single), fc.nat(200), ({ sql, tables: [table = ''] }, cut) => {
        const text = sql.slice(0, cut);
        // Cut within or before the table's name it is about another table, or none.
        if (cut <= sql.indexOf(table.split('.')[1] ?? '') + 14) return;
        const { effect, tables } = classifyStatement(text, 'shop');
        expect([text, effect]).not.toEqual([text, 'none']);
        expect([text, tables.map(({ does }) => does.kind)]).not.toEqual([text, ['none']]);
      }),
      runs,
    );
  });

  it.each(['ALTER TABLE orders', 'ALTER TABLE orders FORCE,', 'CREATE INDEX i', 'TRUNCATE'])(
    'does not take %s for a statement that does nothing',
    (sql) => {
      const { effect, tables } = classifyStatement(sql, 'shop');
      expect(effect).toBe('schema');
      expect(tables.map(({ does }) => does.kind)).not.toContain('none');
    },
  );

  it('shows no value', () => {
    const secret = 'Geheim4711';
    const values = CORPUS.flatMap(({ sql }) => {
      const spots = [...sql.matchAll(/'[^'\\]*'|(?<=\s)-?\d+(?=[\s,)]|$)/g)];
      return spots.map(
        ({ index, 0: { length } }) => [sql.slice(0, index), sql.slice(index + length)] as const,
      );
    });
    const quoted = fc.constantFrom(
      `'${secret}'`,
      `'it\\'s ${secret}, RENAME TO ${secret}'`,
      `'\\'), RENAME TO ${secret} -- '`,
      `'''${secret}'`,
      `"${secret}"`,
    );
    fc.assert(
      fc.property(fc.constantFrom(...values), quoted, ([before, after], value) => {
        expect(shown(classifyStatement(before + value + after, 'shop')).join('\n')).not.toContain(secret);
      }),
      runs,
    );
  });

  it('does the worst that a session or a server may have read', () => {
    const does = (sql: string): string => answer(classifyStatement(sql, 'shop')).effect;
    expect(does(String.raw`ALTER TABLE orders COMMENT 'a\', DROP COLUMN b, COMMENT 'c'`)).toBe('stops');
    expect(does('ALTER TABLE orders FORCE /*!80000 , ADD a INT */')).toBe('stops');
    expect(does('TRUNCATE orders /*!99999 , b */')).toBe('stops');
    expect(does('ALTER TABLE orders /*!50100 ENGINE=InnoDB */ /*!80000 FORCE */')).toBe('stops');
  });
});

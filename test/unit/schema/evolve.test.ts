import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AdditiveStep } from '../../../src/model/schema-change.ts';
import type { EvolveColumn, EvolveTable, TargetStep } from '../../../src/schema/evolve.ts';
import { planEvolution } from '../../../src/schema/evolve.ts';
import { holdsFormer } from '../../../src/schema/evolve-room.ts';
import { evolveSql } from '../../../src/schema/evolve-sql.ts';
import type { TargetTraits } from '../../../src/schema/planned.ts';
import { catalogColumn } from './catalog-fixture.ts';

const POSTGRES: TargetTraits = { engine: 'postgres' };
const MYSQL: TargetTraits = { engine: 'mysql', flavour: 'mysql', collations: new Set(['utf8mb4_0900_ai_ci', 'utf8mb4_general_ci', 'utf8mb4_0900_bin', 'ascii_bin']) }; // prettier-ignore
const ROUTE = {
  columns: null,
  names: { source: 's', schema: 'shop', table: 'item', groups: [] },
  isShared: false,
};
const EMPTY: EvolveTable = {
  path: 'item',
  columns: [],
  primaryKey: [],
  uniqueKeys: [],
  indexes: [],
  indexNames: new Set(),
};

const definition = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  type: fc.constantFrom('int', 'bigint unsigned', 'varchar(10)', 'varchar(40)', "enum('x','y')", 'decimal(10,2)', 'text', 'varbinary(8)', 'datetime(3)'), // prettier-ignore
  charset: fc.constant(null),
  collation: fc.constant(null),
  nullable: fc.boolean(),
  default: fc.constantFrom(null, '1'),
  comment: fc.constant(''),
});
const step: fc.Arbitrary<AdditiveStep> = fc.oneof(
  fc.record({ kind: fc.constant('add column' as const), column: definition }),
  fc.record({ kind: fc.constant('widen column' as const), column: definition }),
  fc.record({
    kind: fc.constant('add index' as const),
    index: fc.record({
      name: fc.constantFrom(null, 'by_a', 'by_b'),
      parts: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }).map((names) =>
        names.map((column) => ({ column, prefix: null, descending: false })),
      ),
    }),
  }),
); // prettier-ignore

/** What a server makes of the step. */
function taken(table: EvolveTable, planned: TargetStep, traits: TargetTraits): EvolveTable {
  if (planned.kind === 'add index') {
    const [sql = ''] = evolveSql(table.path, planned, traits);
    const name = /INDEX ["`]?(\w+)/.exec(sql)?.[1]?.toLowerCase() ?? sql;
    expect(table.indexNames.has(name)).toBe(false);
    return {
      ...table,
      indexes: [...table.indexes, planned.index.parts],
      indexNames: new Set([...table.indexNames, name]),
    };
  }
  if (planned.kind === 'add column') {
    const { name, type, nullable, labels } = planned.column;
    expect(table.columns.map((column) => column.name)).not.toContain(name);
    const column: EvolveColumn = {
      name,
      type,
      nullable,
      generated: false,
      hasDefault: true,
      collation: null,
      labels,
      catalog: catalogColumn(type, { name }),
    };
    return { ...table, columns: [...table.columns, column] };
  }
  const columns = table.columns.map((column) =>
    column.name === planned.column.name
      ? {
          ...column,
          type: planned.type ?? column.type,
          nullable: planned.nullable,
          labels: planned.labels ?? column.labels,
        }
      : column,
  );
  return { ...table, columns };
}

describe.each([POSTGRES, MYSQL])('an additive change at $engine', (traits) => {
  it('asks for nothing once its steps are taken, and its SQL can be written', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), (changes) => {
        let table = EMPTY;
        for (const change of changes) {
          const plan = planEvolution([change], ROUTE, traits, table);
          for (const planned of plan.steps) {
            for (const sql of evolveSql('item', planned, traits)) expect(sql).toMatch(/^(?:ALTER|CREATE)/);
            table = taken(table, planned, traits);
          }
          expect(planEvolution([change], ROUTE, traits, table).steps).toEqual([]);
        }
      }),
    );
  });

  it('leaves no NOT NULL column without a default: rows of the old shape still arrive', () => {
    fc.assert(
      fc.property(definition, (column) => {
        const [planned] = planEvolution([{ kind: 'add column', column }], ROUTE, traits, EMPTY).steps;
        if (planned?.kind !== 'add column') return;
        expect(planned.column.nullable || planned.column.default !== null).toBe(true);
      }),
    );
  });
});

describe('widening', () => {
  it.each([
    ['postgres', 'integer', 'bigint', true],
    ['postgres', 'bigint', 'integer', false],
    ['postgres', 'bigint', 'numeric(20,0)', true],
    ['postgres', 'character varying(20)', 'character varying(40)', true],
    ['postgres', 'text', 'character varying(40)', false],
    ['postgres', 'numeric(10,2)', 'numeric(12,2)', true],
    ['postgres', 'numeric(10,2)', 'numeric(10,4)', false],
    ['postgres', 'bit(4)', 'bit(8)', false],
    ['mysql', 'int', 'bigint', true],
    ['mysql', 'int unsigned', 'int', false],
    ['mysql', 'varchar(20)', 'varchar(19)', false],
    ['mysql', "enum('a','b')", "enum('a','c')", false],
    ['mysql', 'int', 'varchar(20)', false],
  ] as const)('%s: %s to %s: %s', (engine, former, type, holds) => {
    expect(holdsFormer(engine, former, type)).toBe(holds);
  });

  it('keeps what MODIFY would forget', () => {
    const catalog = catalogColumn('int', {
      name: 'id',
      nullable: false,
      autoIncrement: true,
      comment: "it's",
    });
    const column: EvolveColumn = { name: 'id', type: 'int', nullable: false, generated: false, hasDefault: true, collation: null, labels: null, catalog }; // prettier-ignore
    const change = { name: 'id', type: 'bigint', charset: null, collation: null, nullable: false, default: null, comment: '' }; // prettier-ignore
    const table = { ...EMPTY, columns: [column], primaryKey: ['id'] };
    const { steps } = planEvolution([{ kind: 'widen column', column: change }], ROUTE, MYSQL, table);
    expect(steps.flatMap((each) => evolveSql('item', each, MYSQL))).toEqual([
      "ALTER TABLE `item` MODIFY COLUMN `id` bigint NOT NULL AUTO_INCREMENT COMMENT 'it''s'",
    ]);
  });
});

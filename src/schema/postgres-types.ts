/** MySQL column types in PostgreSQL: the default of each, and the catalog's spelling of what an operator writes. Pure. */
import { parseSourceType } from '../model/values.ts';

/** The column type that takes every value of the MySQL type; undefined for types that are not ferried. */
export function postgresTypeOf(type: string): string | undefined {
  const source = parseSourceType(type);
  if (source === undefined) return undefined;
  const { base, unsigned, args } = source;
  const [first, second = 0] = args;
  const digits = (kind: string, zone: string): string => `${kind}(${first ?? 0})${zone}`;
  switch (base) {
    case 'tinyint':
      return 'smallint';
    case 'smallint':
      return unsigned ? 'integer' : 'smallint';
    case 'mediumint':
      return 'integer';
    case 'int':
      return unsigned ? 'bigint' : 'integer';
    case 'bigint':
      return unsigned ? 'numeric(20,0)' : 'bigint';
    case 'decimal':
      return `numeric(${first ?? 10},${second})`;
    case 'float':
      return 'real';
    case 'double':
      return 'double precision';
    case 'bit':
      return (first ?? 1) === 1 ? 'boolean' : `bit(${first ?? 1})`;
    case 'char':
      // CHAR(0) holds the empty text alone, and a character(1) would give it a space.
      return first === 0 ? 'character varying(1)' : `character(${first ?? 1})`;
    case 'varchar':
      return `character varying(${Math.max(first ?? 255, 1)})`;
    case 'date':
      return 'date';
    case 'datetime':
      return digits('timestamp', ' without time zone');
    case 'timestamp':
      return digits('timestamp', ' with time zone');
    case 'time':
      return digits('interval', '');
    case 'year':
      return 'smallint';
    case 'set':
      return 'text[]';
    case 'json':
      return 'jsonb';
    default:
      return source.family === 'bytes' ? 'bytea' : 'text';
  }
}

/** Geometry is kept as bytes for whoever fills the column: capture cannot. */
const GEOMETRY =
  /^(?:geometry|point|linestring|polygon|multipoint|multilinestring|multipolygon|geom(?:etry)?collection)\b/;

export function isGeometry(type: string): boolean {
  return GEOMETRY.test(type);
}

const ALIASES: Readonly<Record<string, string>> = {
  int2: 'smallint', int4: 'integer', int: 'integer', int8: 'bigint', float4: 'real', float8: 'double precision',
  bool: 'boolean', decimal: 'numeric', varchar: 'character varying', char: 'character', varbit: 'bit varying',
  timestamptz: 'timestamp with time zone', timestamp: 'timestamp without time zone', time: 'time without time zone',
}; // prettier-ignore

/** As `format_type` spells it: `varchar(20)` is `character varying(20)`, `timestamptz(3)` `timestamp(3) with time zone`. */
export function spelledByPostgres(type: string): string {
  const text = type.trim().toLowerCase().replace(/\s+/g, ' ');
  const array = text.endsWith('[]') ? '[]' : '';
  const [, base = '', args = '', zone = ''] =
    /^(.*?) ?(?:\(([^)]*)\))?( with(?:out)? time zone)?$/.exec(text.slice(0, text.length - array.length)) ??
    [];
  const full = ALIASES[`${base}${zone}`] ?? `${base}${zone}`;
  if (args === '') return full + array;
  const [kind = '', ...rest] = full.split(/(?= with(?:out)? time zone$)/);
  const given = args.replace(/\s/g, '');
  const complete = kind === 'numeric' && !given.includes(',') ? `${given},0` : given;
  return `${kind}(${complete})${rest.join('')}${array}`;
}

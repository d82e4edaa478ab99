/** The tables that a binlog file describes, by the ids that its rows events use. */
import { Cursor, DecodeFault } from './binlog-cursor.ts';
import { PlacedFault } from './binlog-faults.ts';
import { compileTable, readTableName, type TableShape } from './binlog-table-map.ts';

export interface KnownTable {
  /** `schema.table`. */
  readonly name: string;
  /** The table map's body, from behind id and flags on. */
  readonly body: Buffer;
  /** Undefined for a table that is not wanted. */
  readonly shape: TableShape | undefined;
}

/** Announces the end of a statement whose last rows event was left out. */
const NO_TABLE_ID = 0xff_ffff;
/** Shapes that stay known; a table that falls out is compiled anew at its next table map. */
const MOST_SHAPES = 4096;

export interface TableChoice {
  /** Tables whose rows are read. */
  wants(schema: string, table: string): boolean;
  /** Names of the columns that are the table's key instead of its primary key; undefined for its primary key. */
  keyOf?(schema: string, table: string): readonly string[] | undefined;
}

export class TableMaps {
  readonly #choice: TableChoice;
  /** By table id, as the latest table maps of this file say: a server that starts again counts its ids anew. */
  readonly #byId = new Map<number, KnownTable>();
  /** By body, across files, so that a table keeps its object as long as it keeps its shape. */
  readonly #byBody = new Map<string, KnownTable>();

  constructor(choice: TableChoice) {
    this.#choice = choice;
  }

  /** Another file begins: its ids are its own. */
  clear(): void {
    this.#byId.clear();
  }

  /** Takes in a TABLE_MAP event. */
  learn(event: Cursor): void {
    const id = event.u48();
    event.skip(2);
    const body = event.buf.subarray(event.pos);
    if (this.#byId.get(id)?.body.equals(body) === true) return;
    this.#byId.set(id, this.#known(body));
  }

  /**
   * The table of a rows event, whose cursor then stands behind id and flags. Undefined for an event that has none; an id that
   * no table map gave throws.
   */
  find(event: Cursor): KnownTable | undefined {
    const id = event.u48();
    event.skip(2);
    const table = this.#byId.get(id);
    if (table === undefined && id !== NO_TABLE_ID)
      throw new DecodeFault('rows of a table that was not described');
    return table;
  }

  #known(body: Buffer): KnownTable {
    const key = body.toString('latin1');
    const known = this.#byBody.get(key);
    if (known !== undefined) return known;
    const [oldest] = this.#byBody.keys();
    if (this.#byBody.size >= MOST_SHAPES && oldest !== undefined) this.#byBody.delete(oldest);
    // The event's bytes lie in a bigger chunk that must not stay.
    const table = this.#compile(Buffer.from(body));
    this.#byBody.set(key, table);
    return table;
  }

  #compile(body: Buffer): KnownTable {
    const { schema, name } = readTableName(new Cursor(body));
    const table = `${schema}.${name}`;
    if (!this.#choice.wants(schema, name)) return { name: table, body, shape: undefined };
    try {
      return { name: table, body, shape: compileTable(body, this.#choice.keyOf?.(schema, name)) };
    } catch (error) {
      throw new PlacedFault({ table }, error);
    }
  }
}

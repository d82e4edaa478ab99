/** The statements that operators have dealt with (`rowferry ddl ack`). Pure. */

export interface Accept {
  readonly kind: 'accept';
  /** `file:end position` of the statement, as the operator named it. */
  readonly statement: string;
  /** In whose binlog it stands there. Absent in records of former versions, which then are good for tables that are held alone. */
  readonly server?: string;
  /** Its transaction, by which other servers know it; null where that is not known. */
  readonly gtid?: string | null;
  /** The tables that waited for it, and what it does to them; absent in records of former versions, and where none waited. */
  readonly held?: readonly { readonly table: string; readonly why: string }[];
  /** Others than rowferry apply the rows: nobody is waited for. */
  readonly waits?: false;
  readonly by: string;
  readonly timeMs: number;
}

/** A statement in the binlog of one server. */
export interface StatementPlace {
  readonly server: string;
  readonly statement: string;
  readonly gtid: string | null;
}

export class Acknowledgements {
  readonly #records: readonly Accept[];

  /** Oldest first. */
  constructor(records: readonly Accept[]) {
    this.#records = records;
  }

  /** Oldest first. */
  get records(): readonly Accept[] {
    return this.#records;
  }

  /** Whether this statement is one of them; another one at the same place of another server is not. */
  pass(place: StatementPlace): boolean {
    return this.#records.some((record) => record.server !== undefined && names(record, place));
  }

  /** The newest record of the statement that holds a table. */
  ofHeld(held: {
    readonly statement: string;
    readonly gtid: string | null;
    readonly from: { readonly server: string };
  }): Accept | undefined {
    const { statement, gtid, from } = held;
    return this.#records.findLast((record) => names(record, { server: from.server, statement, gtid }));
  }
}

function names(record: Accept, { server, statement, gtid }: StatementPlace): boolean {
  // Two transactions may stand in one place, one after the other: binlogs can be reset.
  if (gtid !== null && (record.gtid ?? null) !== null) return record.gtid === gtid;
  return record.statement === statement && (record.server ?? server) === server;
}

/** What operators asked for by records of the checkpoint topic, told by the capture that takes it up: wherever they asked. */
import type { Log } from '../model/log.ts';
import type { OperatorRecord } from './checkpoint-log.ts';

/** One line each, of the same form as those of the API's actions: who, when, what. */
export function tellAsked(log: Log, records: readonly OperatorRecord[]): void {
  for (const record of records) {
    const { action, request } = askedBy(record);
    const { timeMs, by: who } = record;
    log.info(
      { audit: { timeMs, action, who, request, outcome: 'taken up' } },
      `operator: ${action}, taken up`,
    );
  }
}

function askedBy(record: OperatorRecord): { readonly action: string; readonly request: object } {
  switch (record.kind) {
    case 'accept': {
      const { statement, gtid = null, waits = true } = record;
      return { action: 'ddl/ack', request: { at: statement, gtid, wait: waits } };
    }
    case 'snapshot': {
      const { action, table, empties = false } = record;
      return { action: 'snapshot', request: { action, table, empty: empties } };
    }
    case 'claim': {
      const { start, epoch } = record;
      return { action: 'replay', request: { from: start, epoch } };
    }
  }
}

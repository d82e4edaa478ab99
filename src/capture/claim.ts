/** Takes a source over: reads the checkpoint topic, looks at the source, decides epoch and position (C3), claims (C1). */
import { RowferryError } from '../errors.ts';
import type { Position, StartFrom } from '../model/position.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import type { CheckpointStore, OperatorRecord, PendingRequest } from './checkpoint-log.ts';
import { CheckpointWriter } from './checkpoint-log.ts';
import type { SnapshotState } from './snapshot-state.ts';
import { newCopy } from './snapshot-state.ts';
import type { SourceFacts } from './start-position.ts';
import { firstPosition, positionOnServer, readFrom } from './start-position.ts';
import type { FlowState } from './table-flow.ts';
import { again, inNextEpoch, release } from './table-flow.ts';

export interface ClaimedSource {
  readonly writer: CheckpointWriter;
  /** What the source said of itself for this claim. */
  readonly facts: SourceFacts;
  readonly epoch: number;
  readonly position: Position;
  readonly accepted: Acknowledgements;
  readonly snapshot: SnapshotState;
  readonly flow: FlowState;
  /** Asked for since `snapshot` was saved. */
  readonly requests: readonly PendingRequest[];
  /** What operators asked for that no capture has met before. */
  readonly asked: readonly OperatorRecord[];
}

export async function claimSource(
  store: CheckpointStore,
  options: {
    readonly source: string;
    readonly start: StartFrom;
    /** Asks the source. Done when the saved position is known, which another capture may move up to then. */
    readonly look: () => Promise<SourceFacts>;
    readonly by: string;
    /** The change topic holds records. */
    readonly hasPublished: boolean;
    /** Tables to copy when the source is taken for the first time. */
    readonly copy: readonly string[];
    /** Tables that wait for these statements go on: those that others may have acknowledged since have rows on their way. */
    readonly releases: ReadonlySet<string>;
    /** The incarnation that found nothing on its way; of what another one has published since nothing is known. */
    readonly releasedBy?: number;
  },
  signal: AbortSignal,
): Promise<ClaimedSource> {
  const { source, start, look, by, hasPublished, copy, releases, releasedBy } = options;
  let facts: SourceFacts;
  const { writer, claim, state } = await CheckpointWriter.claim(
    store,
    async (found) => {
      facts = await look();
      if (found.position === null) {
        if (hasPublished) throw positionsGone(source);
        const position = firstPosition(source, start, facts);
        const claim = { epoch: found.epoch + 1, start: position, by, timeMs: Date.now() };
        return copy.length === 0
          ? claim
          : { ...claim, snapshot: { requests: 0, tables: copy.map((table) => newCopy(table, 0)) } };
      }
      // What was acknowledged is published from further back: a new epoch, which goes back to the statement.
      const isOurs = releasedBy === undefined || releasedBy === found.incarnation;
      const released = isOurs ? release(found.flow, found.position, releases) : undefined;
      const { position, sameServer } = positionOnServer(source, released?.start ?? found.position, facts);
      const freed = released?.state ?? found.flow;
      const leavesOut = sameServer && released !== undefined && freed.catchUp !== null;
      const flow = leavesOut ? inNextEpoch(freed, found.epoch) : freed;
      // Restarting on the same server goes on under the same names, from what is saved when the claim arrives. The order of events
      // that lost rows otherwise: while the source is asked, the capture before holds a table, saves that, and publishes rows of
      // others behind it; the statement is acknowledged; this one goes on from before it and lets it pass; the table's rows come
      // to consumers that have seen later ones, and are dropped as repetitions.
      if (sameServer && released === undefined)
        return { epoch: found.epoch, start: null, by, timeMs: Date.now() };
      // Another server's names are new, and so are those of what is read again: a new epoch.
      return {
        epoch: found.epoch + 1,
        start: position,
        // Where the reader had been means nothing on another server.
        flow: sameServer ? flow : again(flow),
        by,
        timeMs: Date.now(),
      };
    },
    signal,
  );
  return {
    writer,
    facts: facts!,
    epoch: claim.epoch,
    position: claim.start ?? readFrom(state.position!, facts!),
    accepted: state.accepted,
    snapshot: claim.snapshot ?? state.snapshot,
    flow: claim.flow ?? state.flow,
    requests: state.requests,
    asked: state.asked,
  };
}

function positionsGone(source: string): RowferryError {
  return new RowferryError(
    'ROWFERRY_SOURCE_POSITION_LOST',
    'changes were published, but no position of this source is saved',
    {
      where: { source },
      hint: 'the checkpoint topic was deleted or emptied: restore it, or fill emptied targets by a pipeline with a new "name"',
    },
  );
}

/** What the copy spares of its own capture. */
import type { ThrottleSignal } from '../runtime/throttle.ts';

/** The copy is slowed when the capture is so far behind, and recovers when it is less. */
const LAG = { slowAbove: 10_000, calmAt: 3_000 };
/** Likewise by what waits for Kafka, as a part of the bytes that may. */
const QUEUE = { slowAbove: 0.9, calmAt: 0.6 };

export function captureSignals(lagMs: number, fill: number): ThrottleSignal[] {
  const lag = Number.isFinite(lagMs)
    ? `capture is ${Math.round(lagMs / 1000)} s behind the source`
    : 'how far capture is behind the source is not known';
  const queue = Number.isFinite(fill)
    ? `Kafka has yet to take ${Math.round(fill * 100)} % of what capture may hold`
    : 'how much Kafka has yet to take is not known';
  return [
    { cause: 'capture-lag', value: lagMs, ...LAG, what: lag },
    { cause: 'capture-queue', value: fill, ...QUEUE, what: queue },
  ];
}

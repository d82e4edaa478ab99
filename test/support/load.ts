import type { ShopSize } from '../../scripts/lib/shop.ts';
import type { WorkloadTotals } from '../../scripts/lib/workload.ts';
import { Workload } from '../../scripts/lib/workload.ts';
import type { Pipeline } from './pipeline.ts';

export const SMALL_SHOP: ShopSize = { users: 200, products: 50, orders: 1_000 };

export interface RunningLoad {
  readonly totals: WorkloadTotals;
  /** Ends it after the open transactions; rejects when a statement failed. */
  stop(): Promise<WorkloadTotals>;
}

/** Lets four customers change the shop of a pipeline that was filled with `size`. */
export function startLoad(
  pipeline: Pipeline,
  {
    changesPerSecond = 600,
    seed = 1,
    size = SMALL_SHOP,
    survivesOutages = false,
  }: { changesPerSecond?: number; seed?: number; size?: ShopSize; survivesOutages?: boolean } = {},
): RunningLoad {
  const stop = new AbortController();
  const load = new Workload({
    url: pipeline.source.url,
    connections: 4,
    changesPerSecond,
    seed,
    size,
    survivesOutages,
  });
  const running = load.run(stop.signal);
  // Its failure is told by stop(); until then nobody waits for it.
  running.catch(() => undefined);
  return {
    get totals() {
      return load.totals;
    },
    stop: async () => {
      stop.abort();
      return await running;
    },
  };
}

import type { ShopSize } from '../../scripts/lib/shop.ts';
import type { WorkloadTotals } from '../../scripts/lib/workload.ts';
import { Workload } from '../../scripts/lib/workload.ts';
import type { Pipeline } from './pipeline.ts';

export const SMALL_SHOP: ShopSize = { users: 200, products: 50, orders: 1_000 };

export interface RunningLoad {
  readonly totals: WorkloadTotals;
  /** Throws when a statement has failed: a load that ended early tests nothing. */
  check(): void;
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
  let failure: { readonly error: unknown } | undefined;
  running.catch((error: unknown) => (failure = { error }));
  return {
    get totals() {
      return load.totals;
    },
    check: () => {
      if (failure !== undefined) throw failure.error;
    },
    stop: async () => {
      stop.abort();
      return await running;
    },
  };
}

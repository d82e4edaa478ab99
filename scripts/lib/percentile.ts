/** The value below or at which `share` (0 to 1) of the samples lie (nearest rank); null without samples. */
export function percentile(samples: readonly number[], share: number): number | null {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

export function median(samples: readonly number[]): number | null {
  return percentile(samples, 0.5);
}

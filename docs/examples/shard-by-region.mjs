// A sharding rule of one's own: the first half of the targets is for Europe, the second for America, by the user within each.
// It must be pure: the same keys always give the same answer, in every process and for ever.

const REGIONS = ['eu', 'us'];

/**
 * `keys` are the values of the columns of `by`, in its order; BIGINT and DECIMAL come as text, smaller integers as numbers.
 * Answers the shard, 0 to count - 1; whatever it throws stops the partition.
 */
export function shardOf([region, userId], count) {
  const place = REGIONS.indexOf(region);
  if (place < 0) throw new RangeError('a region without shards');
  const perRegion = count / REGIONS.length;
  return place * perRegion + Number(BigInt.asUintN(64, BigInt(userId)) % BigInt(perRegion));
}

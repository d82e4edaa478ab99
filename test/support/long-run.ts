/** `ROWFERRY_TEST_ALL=1` (npm run test:all): everything; without it a run is kept short. */
const isLong = process.env['ROWFERRY_TEST_ALL'] !== undefined;

/** Of kinds that a scenario of minutes is the same for, a short run takes one, by its seed. */
export function someOf<T>(kinds: readonly T[], seed: number): T[] {
  return isLong ? [...kinds] : kinds.filter((_, index) => index === seed % kinds.length);
}

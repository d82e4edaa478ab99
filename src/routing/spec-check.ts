/** What every sharding rule asks of its numbers: one clear error each, before the first row is routed. */
import { RowferryError } from '../errors.ts';

/** Shards, slots and points of one rule stay below this. */
export const MOST_SHARDS = 65_536;

/** Refuses anything but a whole number of `least` to `most`; `name` is the setting's name. */
export function checkWhole(
  algorithm: string,
  name: string,
  value: unknown,
  least: number,
  most: number,
): void {
  if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return;
  throw refused(algorithm, `"${name}" must be a whole number of ${least} to ${most}, not ${shown(value)}`, {
    hint: `set "${name}" to a number in that range`,
  });
}

/** Refuses an empty list, an empty name and a name that is there twice. */
export function checkNames(algorithm: string, name: string, values: readonly string[]): void {
  const hint = `give "${name}" at least one name, each different`;
  if (values.length === 0) throw refused(algorithm, `"${name}" is empty`, { hint });
  if (values.some((value) => typeof value !== 'string' || value === ''))
    throw refused(algorithm, `"${name}" holds an empty name`, { hint });
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) throw refused(algorithm, `"${name}" holds ${twice} twice`, { hint });
}

/** The error of a rule that cannot work as it is written. */
export function refused(
  algorithm: string,
  message: string,
  options: { readonly hint: string },
): RowferryError {
  return new RowferryError('ROWFERRY_CONFIG_INVALID', `${algorithm} rule: ${message}`, options);
}

function shown(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string' ? JSON.stringify(value) : typeof value;
}

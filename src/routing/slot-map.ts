/** Who owns which slot: the text form of a slot map (`0-15, 40`) and the check that every slot has exactly one owner. */
import { refused } from './spec-check.ts';

const RANGE = /^(\d{1,5})(?:\s*-\s*(\d{1,5}))?$/;

/** The owner's place (in the order of the map's names) of each slot. Reports every fault of the map in one error. */
export function slotOwners(map: Readonly<Record<string, string>>, slots: number): Uint16Array {
  const claims = Array.from({ length: slots }, (): number[] => []);
  const names = Object.keys(map);
  const faults: string[] = [];
  for (const [owner, name] of names.entries()) {
    for (const text of String(map[name])
      .split(',')
      .map((part) => part.trim())) {
      const range = parseRange(text, slots);
      if (range === null) faults.push(`not a range of slots 0 to ${slots - 1}: "${text}" of ${name}`);
      else for (const claim of claims.slice(range.first, range.last + 1)) claim.push(owner);
    }
  }
  faults.push(...misowned(claims, names));
  if (faults.length > 0) {
    throw refused('slot-map', faults.join('; '), {
      hint: `give each slot of 0 to ${slots - 1} to exactly one name, as in "0-15, 40"`,
    });
  }
  return Uint16Array.from(claims, ([owner]) => owner!);
}

function misowned(claims: readonly (readonly number[])[], names: readonly string[]): string[] {
  const slotsByFault = new Map<string, number[]>();
  for (const [slot, owners] of claims.entries()) {
    if (owners.length === 1) continue;
    const claimants = owners.map((owner) => names[owner]).join(' and ');
    const fault = owners.length === 0 ? 'without an owner' : `claimed by ${claimants}`;
    const slots = slotsByFault.get(fault);
    if (slots === undefined) slotsByFault.set(fault, [slot]);
    else slots.push(slot);
  }
  return Array.from(slotsByFault, ([fault, slots]) => `${fault}: ${formatSlots(slots)}`);
}

/** Slots in ascending order as the text of a slot map: 0, 1, 2, 40 is `0-2, 40`. */
function formatSlots(slots: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const slot of slots) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === slot - 1) last[1] = slot;
    else ranges.push([slot, slot]);
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
}

function parseRange(text: string, slots: number): { readonly first: number; readonly last: number } | null {
  const match = RANGE.exec(text);
  if (match === null) return null;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last < slots ? { first, last } : null;
}

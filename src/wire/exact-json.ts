/** JSON whose numbers keep all their digits. */

/** Text, or a number too long to be sure that a double holds it: at least 16 characters. */
const TEXT_OR_LONG_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]{15,}/g;

/**
 * Like JSON.parse, but a number of 16 characters or more comes as a list of its text alone, since a double may not hold it.
 * Throws what JSON.parse throws, whose message may quote the text: never show it.
 */
export function parseExactly(text: string): unknown {
  return JSON.parse(
    text.replace(TEXT_OR_LONG_NUMBER, (found) => (found.startsWith('"') ? found : `["${found}"]`)),
  );
}

/** The text of a number, long or not; undefined for what is none. */
export function numberText(value: unknown): string | undefined {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (!Array.isArray(value) || value.length !== 1) return undefined;
  const [digits]: readonly unknown[] = value;
  return typeof digits === 'string' ? digits : undefined;
}

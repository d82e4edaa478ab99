/** `1 row`, `2,000 rows`; the plural has to be given where an s does not make it. */
export function counted(number: number, one: string, more = `${one}s`): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? one : more}`;
}

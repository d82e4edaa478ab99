/** What a copy tells of tables and marks that are not its own. */
import { RowferryError } from '../errors.ts';

/** Without its changes a copy would be outdated at once. */
export function notCaptured(source: string, table: string): RowferryError {
  return new RowferryError('ROWFERRY_SOURCE_UNSUPPORTED', 'its changes are not captured by this process', {
    where: { source, table },
    hint: 'add it to `tables` of the source, restart every capture, then: rowferry snapshot add',
  });
}

export function strangerText(pipeline: string): string {
  return (
    `another pipeline of the name ${pipeline} copies from this source, through another Kafka or before its topics ` +
    'were deleted: its marks are ignored; give each pipeline a `name` of its own'
  );
}

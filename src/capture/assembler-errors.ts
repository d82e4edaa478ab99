/** Refusals of the assembler that need nothing of its state. */
import { RowferryError } from '../errors.ts';

export function wasReset(
  source: string,
  { file, end, offset }: { readonly file: string; readonly end: number; readonly offset: number },
): RowferryError {
  return new RowferryError(
    'ROWFERRY_SOURCE_POSITION_LOST',
    `the source sends ${file}:${end}, which lies before the saved position: its binlogs were reset`,
    {
      where: { source, position: `${file}:${offset}` },
      hint: 'fill emptied targets by a pipeline with a new "name"',
    },
  );
}

export function noNumber(source: string, file: string): RowferryError {
  return new RowferryError(
    'ROWFERRY_SOURCE_UNSUPPORTED',
    `the binlog file name ${file} does not end in a number`,
    { where: { source }, hint: 'set log_bin to a plain base name' },
  );
}

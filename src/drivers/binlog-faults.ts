/** From what went wrong in an event's bytes to an error that names the place. */
import { RowferryError } from '../errors.ts';
import { DecodeFault, UnsupportedFault } from './binlog-cursor.ts';

/** A fault whose table or column is known where it is thrown. */
export class PlacedFault extends Error {
  override readonly name = 'PlacedFault';
  readonly place: { readonly table?: string; readonly column?: string };

  constructor(place: { readonly table?: string; readonly column?: string }, cause: unknown) {
    super('a fault at a known place', { cause });
    this.place = place;
  }
}

/** Errors of Buffer and zlib on bytes that are not what they should be. */
function isDataError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(ERR_OUT_OF_RANGE|ERR_BUFFER_OUT_OF_BOUNDS|ERR_INVALID_BUFFER_SIZE|Z_[A-Z_]+)$/.test(code);
}

/**
 * What leaves the decoder: faults become ROWFERRY_SOURCE_UNSUPPORTED and ROWFERRY_SOURCE_DECODE with their place, anything
 * else stays as it is.
 */
export function describeFault(thrown: unknown, position: string, table: string | undefined): unknown {
  const error = thrown instanceof PlacedFault ? thrown.cause : thrown;
  const where = {
    position,
    ...(table === undefined ? {} : { table }),
    ...(thrown instanceof PlacedFault ? thrown.place : {}),
  };
  if (error instanceof UnsupportedFault) {
    const { column, hint } = error;
    return new RowferryError('ROWFERRY_SOURCE_UNSUPPORTED', `the binlog holds ${error.message}`, {
      where: column === undefined ? where : { ...where, column },
      ...(hint === undefined ? {} : { hint }),
    });
  }
  if (error instanceof DecodeFault || isDataError(error)) {
    const what = error instanceof DecodeFault ? error.message : 'an event that ends too early';
    return new RowferryError('ROWFERRY_SOURCE_DECODE', `the binlog holds ${what}`, {
      where,
      hint: 'if the saved position leads here again, the binlog is broken or of an unknown kind: report it',
      cause: error,
    });
  }
  return thrown;
}

import { describe, expect, it } from 'vitest';
import { EXIT, exitCodeOf } from '../../../src/cli/exit-codes.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import { ERROR_CODES, RowferryError } from '../../../src/errors.ts';

const exitOf = (code: ErrorCode): number => exitCodeOf(new RowferryError(code, 'x'));

describe('exit codes', () => {
  it('differ for configuration, lost position, data, transient and bug', () => {
    expect(exitOf('ROWFERRY_CONFIG_INVALID')).toBe(EXIT.config);
    expect(exitOf('ROWFERRY_SOURCE_POSITION_LOST')).toBe(EXIT.lost);
    expect(exitOf('ROWFERRY_SOURCE_DDL')).toBe(EXIT.data);
    expect(exitOf('ROWFERRY_KAFKA_LINK')).toBe(EXIT.transient);
    expect(exitOf('ROWFERRY_INVARIANT')).toBe(EXIT.internal);
  });

  it('never call an error success', () => {
    for (const code of Object.keys(ERROR_CODES)) expect(exitOf(code as ErrorCode)).toBeGreaterThan(1);
  });
});

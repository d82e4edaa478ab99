import { assert, bigInt, jsonValue, nat, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonical, canonicalJson, canonicalNumber } from '../../../scripts/lib/canonical.ts';

describe('canonical numbers', () => {
  it.each([
    ['0', '0'],
    ['-0.00', '0'],
    ['007', '7'],
    ['1.50', '1.5'],
    ['15e-1', '1.5'],
    ['100', '100'],
    ['1e20', '100000000000000000000'],
    ['18446744073709551615', '18446744073709551615'],
    ['-9007199254740993.000100', '-9007199254740993.0001'],
    ['0.00012', '0.00012'],
    ['1e300', '1e300'],
    ['t', '1'],
  ])('%s is %s', (text, expected) => {
    expect(canonicalNumber(text)).toBe(expected);
  });

  it('do not depend on how a number is written', () => {
    assert(
      property(bigInt(), nat(20), nat(5), (digits, zeros, leading) => {
        const sign = digits < 0n ? '-' : '';
        const text = `${sign}${'0'.repeat(leading)}${String(digits).replace('-', '')}`;
        expect(canonicalNumber(`${text}.${'0'.repeat(zeros)}`)).toBe(canonicalNumber(String(digits)));
        expect(canonicalNumber(`${text}${'0'.repeat(zeros)}e-${zeros}`)).toBe(
          canonicalNumber(String(digits)),
        );
      }),
    );
  });

  it('differ for different integers of any size', () => {
    assert(
      property(bigInt(), bigInt(), (a, b) => {
        expect(canonicalNumber(String(a)) === canonicalNumber(String(b))).toBe(a === b);
      }),
    );
  });
});

describe('canonical JSON', () => {
  it('ignores key order, spaces and escapes', () => {
    expect(canonicalJson('{"b": [1, 2.50], "a": "\\u00e9", "10": null, "9": true}')).toBe(
      canonicalJson('{"9":true,"a":"é","b":[1.0,2.5],"10":null}'),
    );
  });

  it('keeps numbers beyond double precision apart', () => {
    expect(canonicalJson('[9007199254740993]')).not.toBe(canonicalJson('[9007199254740992]'));
  });

  it('tells numbers from texts that look like them', () => {
    expect(canonicalJson('[1]')).not.toBe(canonicalJson('["1"]'));
    expect(canonicalJson('["#1"]')).not.toBe(canonicalJson('[1]'));
  });

  it('keeps list order, null and empty things apart', () => {
    const texts = [
      '[1,2]',
      '[2,1]',
      '{}',
      '[]',
      'null',
      '""',
      '{"a":null}',
      '[{"a":1},{"b":2}]',
      '{"a":1,"b":2}',
    ];
    expect(new Set(texts.map(canonicalJson)).size).toBe(texts.length);
  });

  it('is the same for the same value however it was printed', () => {
    assert(
      property(jsonValue(), (value) => {
        expect(canonicalJson(JSON.stringify(value, null, 2))).toBe(canonicalJson(JSON.stringify(value)));
      }),
    );
  });
});

describe('canonical values', () => {
  it('of a FLOAT are equal when both engines mean the same 32 bits', () => {
    expect(canonical('float', '0.10000000149011612')).toBe(canonical('float', '0.1'));
    expect(canonical('double', '0.10000000149011612')).not.toBe(canonical('double', '0.1'));
  });

  it('of a DOUBLE keep the sign of zero', () => {
    expect(canonical('double', '-0')).not.toBe(canonical('double', '0'));
  });

  it('of a DATETIME ignore only zeros at the end of the fraction and UTC', () => {
    expect(canonical('datetime', '2024-02-29 10:00:00.500000')).toBe(
      canonical('datetime', '2024-02-29 10:00:00.5+00'),
    );
    expect(canonical('datetime', '2024-02-29 10:00:00.000000')).toBe('2024-02-29 10:00:00');
    expect(canonical('datetime', '2024-02-29 10:00:10')).toBe('2024-02-29 10:00:10');
  });

  it('of a TIME are equal as hours and as seconds', () => {
    expect(canonical('time', '-838:59:59.000001')).toBe(canonical('time', '-3020399.000001'));
    expect(canonical('time', '00:00:01.5')).not.toBe(canonical('time', '-00:00:01.5'));
  });

  it('of a BIT are equal as digits and as a number', () => {
    expect(canonical('bit', '0b0101')).toBe(canonical('bit', '5'));
    expect(canonical('bit', '0b10')).not.toBe(canonical('bit', '10'));
  });
});

import { describe, expect, it } from 'vitest';
import { xxHash64 } from '../../../src/routing/xxhash64.ts';

const PRIME32 = 2_654_435_761n;
const PRIME64 = 11_400_714_785_074_694_797n;
const hex = (hash: bigint) => hash.toString(16).padStart(16, '0');

/** The buffer over which xxHash's own sanity check publishes its vectors. */
function sanityBuffer(length: number): Uint8Array {
  let generator = PRIME32;
  return Uint8Array.from({ length }, () => {
    const byte = Number(generator >> 56n);
    generator = BigInt.asUintN(64, generator * PRIME64);
    return byte;
  });
}

describe('xxHash64', () => {
  // Lengths on both sides of each step of the algorithm: 4, 8 and 32 bytes.
  it.each([
    [0, 'ef46db3751d8e999', 'ac75fda2929b17ef'],
    [1, 'e934a84adb052768', '5014607643a9b4c3'],
    [4, '9136a0dca57457ee', 'caab286bd8e9fdb5'],
    [14, '8282dcc4994e35c8', 'c3bd6bf63deb6df0'],
    [32, '18b216492bb44b70', 'b3f33bdf93ade409'],
    [33, '55c8dc3e578f5b59', 'e92c292f64bc3071'],
    [63, 'a9efbe0fa0f3f4e7', '6c911fadb05b6fc2'],
    [64, 'ef558f8acac2b5cd', 'b5eeba99264cc44f'],
    [100, '4bfe019cd91d9ea4', '4853706dc9625cae'],
    [222, 'b641ae8cb691c174', '20cb8ab7ae10c14a'],
    [2367, 'a82418ddec0ea581', 'a36a93c18052673a'],
  ])('gives the published values for %i bytes', (length, unseeded, seeded) => {
    const bytes = sanityBuffer(2367).subarray(0, length);
    expect([hex(xxHash64(bytes, 0n)), hex(xxHash64(bytes, PRIME32))]).toEqual([unseeded, seeded]);
  });

  it.each([
    ['', 'ef46db3751d8e999'],
    ['a', 'd24ec4f1a98c6e5b'],
    ['abc', '44bc2cf5ad770999'],
    ['heiå', 'b9d3d990d2001a1a'],
    ['订单-2026-🚚', '9913480f831283c8'],
    ['Nobody inspects the spammish repetition', 'fbcea83c8a378bf1'],
    ['Call me Ishmael. Some years ago--never mind how long precisely-', '02a2e85470d6fd96'],
  ])('hashes the UTF-8 bytes of %j', (text, expected) => {
    expect(hex(xxHash64(text, 0n))).toBe(expected);
    expect(xxHash64(new TextEncoder().encode(text), 0n)).toBe(xxHash64(text, 0n));
  });

  it('forgets long inputs: a short one after them has its own hash', () => {
    xxHash64('x'.repeat(1_000_000), 0n);
    xxHash64(new Uint8Array(5_000_000), 0n);
    expect(hex(xxHash64('abc', 0n))).toBe('44bc2cf5ad770999');
  });
});

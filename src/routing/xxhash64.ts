/** xxHash64, the one hash of the sharding rules: fast, public, and the same in every language. */
import xxhash from 'xxhash-wasm';

// Compiling takes a moment of asynchronous work; doing it while the module loads keeps the rules synchronous.
const hasher = await xxhash();

/** The unsigned 64-bit xxHash64 of bytes, or of a text's UTF-8 bytes. */
export function xxHash64(input: string | Uint8Array, seed: bigint): bigint {
  return typeof input === 'string' ? hasher.h64(input, seed) : hasher.h64Raw(input, seed);
}

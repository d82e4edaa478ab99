/** Compression of record batches. kafkajs brings gzip only; lz4 comes from the optional package lz4-napi. */
import kafkajs from 'kafkajs';
import { RowferryError } from '../errors.ts';

export type Compression = 'none' | 'gzip' | 'lz4';

/** What kafkajs hands to a codec: its encoder, whose bytes are in `buffer`. */
interface EncodedRecords {
  readonly buffer: Buffer;
}

let lz4: Promise<boolean> | undefined;

/**
 * Registers lz4 with kafkajs when lz4-napi can be loaded; resolves with whether it is there. Every client awaits this before
 * it opens, because a topic may hold lz4 batches of another writer.
 */
export function loadLz4(): Promise<boolean> {
  lz4 ??= registerLz4();
  return lz4;
}

async function registerLz4(): Promise<boolean> {
  try {
    const { compressFrame, decompressFrame } = await import('lz4-napi');
    kafkajs.CompressionCodecs[kafkajs.CompressionTypes.LZ4] = () => ({
      compress: (records: EncodedRecords) => compressFrame(records.buffer),
      decompress: (bytes: Buffer) => decompressFrame(bytes),
    });
    return true;
  } catch {
    // Not installed, or no build for this platform: kafkajs keeps its own entry, which refuses lz4 batches by name.
    return false;
  }
}

/** kafkajs' number for a compression; rejects with ROWFERRY_CONFIG_INVALID when its package is missing. */
export async function compressionType(compression: Compression): Promise<kafkajs.CompressionTypes> {
  if (compression === 'none') return kafkajs.CompressionTypes.None;
  if (compression === 'gzip') return kafkajs.CompressionTypes.GZIP;
  if (await loadLz4()) return kafkajs.CompressionTypes.LZ4;
  throw new RowferryError(
    'ROWFERRY_CONFIG_INVALID',
    'kafka.compression is lz4, but lz4-napi cannot be loaded',
    {
      hint: 'npm install lz4-napi, or set kafka.compression to gzip or none',
    },
  );
}

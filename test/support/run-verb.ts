import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { onTestFinished } from 'vitest';
import type { CliContext } from '../../src/cli/context.ts';

export interface VerbRun {
  /** What went to standard output; lines of the error output have a `! ` before them. */
  readonly lines: readonly string[];
  readonly exitCode: number;
}

/** Runs a verb as the process would, its exit code handed out and put back. */
export async function runVerb(
  verb: (context: CliContext) => Command,
  args: readonly string[],
  context: Partial<CliContext> = {},
): Promise<VerbRun> {
  const lines: string[] = [];
  const command = verb({
    output: { out: (line) => void lines.push(line), err: (line) => void lines.push(`! ${line}`) },
    env: {},
    signal: new AbortController().signal,
    terminal: { columns: 60, unicode: true },
    ...context,
  });
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await command.parseAsync(args, { from: 'user' });
    return { lines, exitCode: process.exitCode };
  } finally {
    process.exitCode = before;
  }
}

/** A file for one test. */
export function fileWith(text: string, name = 'shop.yaml'): string {
  const folder = mkdtempSync(join(tmpdir(), 'rowferry-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const SERVERS = `name: shop
kafka: { brokers: ["127.0.0.1:9092"] }
sources:
  main: { url: "mysql://rowferry:pw@127.0.0.1:3306", serverId: 4711, tables: ["shop.*"] }
targets:
  db_00: { url: "mysql://writer:pw@db-00/shop" }
  db_01: { url: "mysql://writer:pw@db-01/shop" }
  archive: { url: "postgres://writer:pw@db-b/shop" }
routes:
`;

/** Orders over two databases with so many tables each. */
export function ordersConfig(tables: number): string {
  return `${SERVERS}
  - from: shop.orders
    shards: { by: user_id, algorithm: segments, half: high, on: [db_00, db_01] }
    tables: { by: user_id, algorithm: segments, count: ${tables} }
`;
}

/** The same rows once more, by another column (SHR-12). */
export const TWICE = `${ordersConfig(16)}
  - from: shop.orders
    to: orders_by_supplier
    target: archive
    tables: { by: supplier_id, algorithm: modulo, count: 4 }
`;

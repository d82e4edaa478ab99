/** `rowferry parked list|retry|drop`: rows that wait at a target. Keys and images stay in the target's own table. */
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { counted } from '../model/counted.ts';
import { configOption } from './config-option.ts';
import type { Away } from '../wiring/look.ts';
import type { CliContext } from './context.ts';
import { askDaemon } from './daemon-api.ts';
import { EXIT } from './exit-codes.ts';

interface ParkedOptions {
  readonly config: string;
  readonly target?: string;
  readonly table?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly showKeys?: boolean;
}

export function parkedCommand(context: CliContext): Command {
  const command = new Command('parked').description(
    'rows that wait at a target because another row is in their way',
  );
  addList(command, context);
  addRetry(command, context);
  addDrop(command, context);
  return command;
}

function verb(command: Command, name: string, description: string): Command {
  return command
    .command(name)
    .description(description)
    .addOption(configOption())
    .option('--target <name>', 'one target only')
    .option('--table <name>', 'one table only');
}

function addList(command: Command, { output, env, signal }: CliContext): void {
  verb(command, 'list', 'list them, oldest first')
    .option('--show-keys', 'print primary keys (they may be personal data)')
    .option('--json', 'one JSON object a line for programs')
    .action(async (options: ParkedOptions) => {
      const { withParked } = await import('../wiring/parked.ts');
      await withParked(loadConfig(options.config, env), options, signal, async (entries, away) => {
        for (const { target, entry } of entries) {
          const { table, topic, partition, reason, detail, attempts, parkedAtMs } = entry;
          const key = options.showKeys === true ? { key: entry.key } : {};
          const shown = {
            target: target.name,
            table,
            topic,
            partition,
            reason,
            detail,
            attempts,
            parkedAtMs,
            ...key,
          };
          if (options.json === true) output.out(JSON.stringify(shown));
          else {
            const keys = options.showKeys === true ? `  key ${JSON.stringify(entry.key)}` : '';
            const since = new Date(parkedAtMs).toISOString();
            output.out(
              `${target.name}  ${table}  ${topic}/${partition}  ${reason} (${detail})  since ${since}, ${counted(attempts, 'try', 'tries')}${keys}`,
            );
          }
        }
        if (entries.length === 0 && away.length === 0 && options.json !== true)
          output.out('no row is parked');
        tellAway(away, output);
      });
    });
}

function addRetry(command: Command, { output, env, signal }: CliContext): void {
  const tell = ({ healed, waits, gone }: { healed: number; waits: number; gone: number }): void => {
    output.out(`${healed} healed, ${waits} still wait, ${gone} were gone`);
    if (waits > 0) process.exitCode = EXIT.data;
  };
  verb(command, 'retry', 'try them now').action(async (options: ParkedOptions) => {
    const config = loadConfig(options.config, env);
    const { target, table } = options;
    const asked = { ...(target === undefined ? {} : { target }), ...(table === undefined ? {} : { table }) };
    const told = await askDaemon(config, '/api/parked/retry', asked, signal);
    if (told?.counts !== undefined) {
      tell({ healed: 0, waits: 0, gone: 0, ...told.counts });
      return;
    }
    const { withParked } = await import('../wiring/parked.ts');
    await withParked(config, asked, signal, async (entries, away) => {
      const counts = { healed: 0, waits: 0, gone: 0, stale: 0 };
      for (const { target, entry } of entries) counts[await target.retryParked(entry, null, signal)] += 1;
      tell(counts);
      tellAway(away, output);
    });
  });
}

function tellAway(away: readonly Away[], output: CliContext['output']): void {
  for (const { part, why } of away) output.err(`${part} ${why}`);
  if (away.length > 0) process.exitCode = EXIT.transient;
}

function addDrop(command: Command, { output, env, signal }: CliContext): void {
  verb(command, 'drop', 'give rows up for good: the target will lack them')
    .option('--yes', 'do it; without this only the count is shown')
    .action(async (options: ParkedOptions) => {
      const { needAll, withParked } = await import('../wiring/parked.ts');
      await withParked(loadConfig(options.config, env), options, signal, async (entries, away) => {
        needAll(away);
        if (options.yes !== true) {
          output.out(`${counted(entries.length, 'row')} would be given up; say --yes to do it`);
          return;
        }
        let dropped = 0;
        for (const { target, entry } of entries) if (await target.dropParked(entry)) dropped += 1;
        output.out(`${counted(dropped, 'row')} given up: the targets differ from the source by that`);
      });
    });
}

/** `rowferry schema plan|apply|diff`: the targets' tables, made from the sources' tables by the routes. */
import { dirname, resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';

interface SchemaCliOptions {
  readonly config: string;
  readonly target?: string;
  readonly dir?: string;
  readonly indexes?: 'before' | 'after';
  readonly type?: Readonly<Record<string, string>>;
  readonly accept?: boolean;
  readonly dryRun?: boolean;
  readonly notes?: boolean;
  readonly json?: boolean;
}

export function schemaCommand({ output, env, signal }: CliContext): Command {
  const command = new Command('schema').description("the targets' tables, made from the sources' tables");
  const verb = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .addOption(configOption())
      .option('--target <name>', 'one target only');
  const typeOption = (): Option =>
    new Option(
      '--type <column=type>',
      'schema.table.column=type at the target instead of the default; repeatable',
    )
      .argParser(addType)
      .default({}, 'none');
  const dirOption = (): Option =>
    new Option('--dir <folder>', 'folder of the SQL files; default "schema" beside the configuration');

  verb('plan', 'write the next SQL files for what the targets lack; look at them before they are applied')
    .addOption(dirOption())
    .addOption(typeOption())
    .addOption(
      new Option('--indexes <when>', 'secondary indexes with the tables, or in a file for after the copy')
        .choices(['before', 'after'])
        .default('before'),
    )
    .option(
      '--accept',
      'take files that were changed or written by hand, and what was left to do by hand, as done',
    )
    .option('--dry-run', 'only say which files would be written')
    .action(async (options: SchemaCliOptions) => {
      const config = loadConfig(options.config, env);
      const { planSchema } = await import('../wiring/schema.ts');
      const how = { accept: options.accept === true, dryRun: options.dryRun === true };
      for (const { target, files, notes, byHand } of await planSchema(config, chosen(config, options), how)) {
        for (const { about, what } of notes) output.out(`${target}: ${about}: ${what}`);
        for (const line of byHand) output.out(`${target}: by hand: ${line}`);
        const verb = how.dryRun ? 'would write' : 'wrote';
        output.out(`${target}: ${files.length === 0 ? 'nothing new' : `${verb} ${files.join(', ')}`}`);
      }
    });

  verb('apply', 'apply the SQL files, each once and in order; goes on where a run was cut off')
    .addOption(dirOption())
    .option('--dry-run', 'only show the statements that would run')
    .action(async (options: SchemaCliOptions) => {
      const config = loadConfig(options.config, env);
      const { applySchema } = await import('../wiring/schema.ts');
      const how = { dryRun: options.dryRun === true };
      const print = (line: string): void => output.out(line);
      const applied = await applySchema(config, chosen(config, options), how, print, signal);
      output.out(
        applied === 0 ? 'nothing to apply' : `${applied} files ${how.dryRun ? 'would be ' : ''}applied`,
      );
    });

  verb('diff', 'compare the targets with the sources by way of the routes; exit code 1 when anything differs')
    .addOption(typeOption())
    .option('--json', 'one JSON object a line for programs')
    .action(async (options: SchemaCliOptions) => {
      const config = loadConfig(options.config, env);
      const { diffSchema } = await import('../wiring/schema.ts');
      const differences = await diffSchema(config, chosen(config, options));
      for (const { target, difference } of differences) {
        const { table, column, what } = difference;
        if (options.json === true) output.out(JSON.stringify({ target, ...difference }));
        else output.out(`${target}  ${table}${column === null ? '' : `.${column}`}  ${what}`);
      }
      if (differences.length > 0) process.exitCode = EXIT.data;
      else if (options.json !== true) output.out('the targets are as the sources ask for');
    });
  return command;
}

function chosen(config: Config, { dir, indexes, type, target }: SchemaCliOptions) {
  return {
    dir: dir === undefined ? resolve(dirname(config.file), 'schema') : resolve(dir),
    indexes: indexes ?? 'before',
    types: type ?? {},
    ...(target === undefined ? {} : { target }),
  };
}

function addType(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  return { ...before, [text.slice(0, Math.max(at, 0))]: text.slice(at + 1) };
}

/** `rowferry schema plan|apply|diff`: the targets' tables, made from the sources' tables by the routes. */
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { parseColumnPattern } from '../model/column-pattern.ts';
import { isNote } from '../schema/diff.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { differenceLines, noteLines } from './schema-text.ts';

interface SchemaCliOptions {
  readonly config: string;
  readonly target?: string;
  readonly dir?: string;
  readonly indexes?: 'before' | 'after';
  readonly type?: Readonly<Record<string, string>>;
  readonly accept?: boolean;
  readonly beforeCopy?: boolean;
  readonly dryRun?: boolean;
  readonly notes?: boolean;
  readonly json?: boolean;
}

export function schemaCommand(context: CliContext): Command {
  const command = new Command('schema').description("the targets' tables, made from the sources' tables");
  addPlan(command, context);
  addApply(command, context);
  addDiff(command, context);
  return command;
}

function addPlan(command: Command, { output, env }: CliContext): void {
  verb(
    command,
    'plan',
    'write the next SQL files for what the targets lack; look at them before they are applied',
  )
    .addOption(dirOption())
    .addOption(typeOption())
    .addOption(
      new Option(
        '--indexes <when>',
        'secondary indexes with the tables, or in a file for after the copy; instead of `schema.indexes`',
      ).choices(['before', 'after']),
    )
    .option(
      '--accept',
      'take files that were changed or written by hand, and what was left to do by hand, as done',
    )
    .option('--dry-run', 'only say which files would be written')
    .option('--json', 'one JSON object a target for programs')
    .action(async (options: SchemaCliOptions) => {
      const config = loadConfig(options.config, env);
      const { planSchema } = await import('../wiring/schema.ts');
      const how = { accept: options.accept === true, dryRun: options.dryRun === true };
      const warn = (line: string): void => output.err(`warning: ${line}`);
      const planned = await planSchema(config, { ...chosen(config, options), warn }, how);
      if (options.json === true) {
        for (const target of planned) output.out(JSON.stringify(target));
        return;
      }
      for (const line of noteLines(planned)) output.out(line);
      for (const { target, files, byHand } of planned) {
        for (const line of byHand) output.out(`${target}: by hand: ${line}`);
        const verb = how.dryRun ? 'would write' : 'wrote';
        output.out(`${target}: ${files.length === 0 ? 'nothing new' : `${verb} ${files.join(', ')}`}`);
      }
    });
}

function addApply(command: Command, { output, env, signal }: CliContext): void {
  verb(command, 'apply', 'apply the SQL files, each once and in order; goes on where a run was cut off')
    .addOption(dirOption())
    .option(
      '--before-copy',
      'leave the indexes that are to be made when the rows are copied; apply again then',
    )
    .option('--dry-run', 'only show the statements that would run')
    .action(async (options: SchemaCliOptions) => {
      const config = loadConfig(options.config, env);
      const { applySchema } = await import('../wiring/schema.ts');
      const how = { dryRun: options.dryRun === true, beforeCopy: options.beforeCopy === true };
      const print = (line: string): void => output.out(line);
      const applied = await applySchema(config, chosen(config, options), how, print, signal);
      output.out(
        applied === 0
          ? 'nothing to apply'
          : `${applied} file${applied === 1 ? '' : 's'} ${how.dryRun ? 'would be ' : ''}applied`,
      );
    });
}

function addDiff(command: Command, { output, env }: CliContext): void {
  verb(
    command,
    'diff',
    'compare the targets with the sources by way of the routes; exit code 4 when anything differs that rows may need',
  )
    .addOption(typeOption())
    .option('--json', 'one JSON object a difference for programs')
    .action(async (options: SchemaCliOptions) => {
      const config = loadConfig(options.config, env);
      const { diffSchema } = await import('../wiring/schema.ts');
      const warn = (line: string): void => output.err(`warning: ${line}`);
      const differences = await diffSchema(config, { ...chosen(config, options), warn });
      const wrong = differences.filter(({ difference }) => !isNote(difference));
      const notes = differences.filter(({ difference }) => isNote(difference));
      const json = ({ target, difference }: (typeof differences)[number]): string =>
        JSON.stringify({ target, level: isNote(difference) ? 'note' : 'error', ...difference });
      const lines =
        options.json === true
          ? differences.map(json)
          : [...differenceLines(wrong), ...differenceLines(notes).map((line) => `note: ${line}`)];
      for (const line of lines) output.out(line);
      if (wrong.length > 0) process.exitCode = EXIT.data;
      else if (options.json !== true) output.out('the targets are as the sources ask for');
    });
}

function verb(command: Command, name: string, description: string): Command {
  return command
    .command(name)
    .description(description)
    .addOption(configOption())
    .option('--target <name>', 'one target only');
}

function dirOption(): Option {
  return new Option('--dir <folder>', 'folder of the SQL files, instead of `schema.dir`');
}

function typeOption(): Option {
  return new Option(
    '--type <column=type>',
    'schema.table.column=type at the target, on top of `schema.types`; repeatable',
  ).argParser(addType);
}

function chosen(config: Config, { dir, indexes, type, target }: SchemaCliOptions) {
  return {
    dir: dir === undefined ? config.schema.dir : resolve(dir),
    indexes: indexes ?? config.schema.indexes,
    types: type ?? {},
    ...(target === undefined ? {} : { target }),
  };
}

function addType(
  text: string,
  before: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const [, column = '', type = ''] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  const pattern = parseColumnPattern(column);
  if (type === '') throw new InvalidArgumentError("write it as schema.table.column='type'.");
  if ('wrong' in pattern) throw new InvalidArgumentError(`${column} ${pattern.wrong}.`);
  // Once more at the end, since the last one counts.
  const { [column]: _, ...others } = before ?? {};
  return { ...others, [column]: type };
}

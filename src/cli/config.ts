/** `rowferry config check|print|schema`: looks at the configuration without touching any server. */
import { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { configJsonSchema } from '../config/json-schema.ts';
import { loadConfig } from '../config/load.ts';
import { printConfig } from '../config/print.ts';
import { configOption } from './config-option.ts';
import type { Output } from './output.ts';

/** Problems are thrown as ROWFERRY_CONFIG_INVALID, whose message lists them; main turns that into exit code 2. */
export function configCommand(output: Output, env: Readonly<Record<string, string | undefined>>): Command {
  const command = new Command('config').description('check and show the configuration');
  command
    .command('check')
    .description('check the file; lists every problem with its place')
    .addOption(configOption())
    .action((options: { config: string }) => {
      output.out(`ok: ${summary(loadConfig(options.config, env))}`);
    });
  command
    .command('print')
    .description('print the configuration with every default filled in and secrets as ***')
    .addOption(configOption())
    .action((options: { config: string }) => {
      output.out(printConfig(loadConfig(options.config, env)).trimEnd());
    });
  command
    .command('schema')
    .description('print the JSON Schema of the file, for editors')
    .action(() => {
      output.out(JSON.stringify(configJsonSchema(), null, 2));
    });
  return command;
}

function summary({ sources, debezium, targets, routes }: Config): string {
  return [count([...sources, ...debezium], 'source'), count(targets, 'target'), count(routes, 'route')].join(
    ', ',
  );
}

function count(list: readonly unknown[], noun: string): string {
  return `${list.length} ${noun}${list.length === 1 ? '' : 's'}`;
}

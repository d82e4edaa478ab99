#!/usr/bin/env node
/** The command line's entry: signals, output and the only process.exit. */
import { Command, CommanderError } from 'commander';
import { alertsCommand } from './cli/alerts.ts';
import { capacityCommand } from './cli/capacity.ts';
import { configCommand } from './cli/config.ts';
import { checkCommand } from './cli/check.ts';
import { terminalOf } from './cli/context.ts';
import { ddlCommand } from './cli/ddl.ts';
import { EXIT, exitCodeOf } from './cli/exit-codes.ts';
import { forecastCommand } from './cli/forecast.ts';
import type { Output } from './cli/output.ts';
import { logLevelCommand, pauseCommand, resumeCommand } from './cli/operate.ts';
import { parkedCommand } from './cli/parked.ts';
import { planCommand } from './cli/plan.ts';
import { positionsCommand, replayCommand } from './cli/positions.ts';
import { routeCommand } from './cli/route.ts';
import { runCommand } from './cli/run.ts';
import { snapshotCommand } from './cli/snapshot.ts';
import { schemaCommand } from './cli/schema.ts';
import { statusCommand } from './cli/status.ts';
import { framesOf, toRowferryError } from './errors.ts';
import { VERSION } from './version.ts';

const output: Output = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
};

// Whoever read has seen enough (`rowferry status --watch | head`): nothing is left to do for a reader, and it is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.ok);
});

/** The first signal asks for an orderly stop, the second leaves at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
    stop.abort();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return stop.signal;
}

function program(): Command {
  const root = new Command('rowferry')
    .description(
      'Ferries rows between live databases: MySQL/MariaDB binlog -> Kafka -> MySQL and PostgreSQL, exactly once.',
    )
    .version(VERSION)
    .showSuggestionAfterError()
    .exitOverride();
  const terminal = terminalOf(process.stdout, process.env);
  const context = { output, env: process.env, signal: stopSignal(), terminal };
  root.addCommand(runCommand(context));
  root.addCommand(checkCommand(context));
  root.addCommand(statusCommand(context));
  root.addCommand(pauseCommand(context));
  root.addCommand(resumeCommand(context));
  root.addCommand(positionsCommand(context));
  root.addCommand(replayCommand(context));
  root.addCommand(snapshotCommand(context));
  root.addCommand(parkedCommand(context));
  root.addCommand(ddlCommand(context));
  root.addCommand(logLevelCommand(context));
  root.addCommand(schemaCommand(context));
  root.addCommand(routeCommand(context));
  root.addCommand(forecastCommand(context));
  root.addCommand(planCommand(context));
  root.addCommand(capacityCommand(context));
  root.addCommand(alertsCommand(context));
  root.addCommand(configCommand(output, process.env));
  for (const command of root.commands) command.exitOverride();
  root.addHelpText(
    'after',
    `
Start here:
  rowferry check -c rowferry.yaml     is everything ready? all findings at once, each with its mend
  rowferry run -c rowferry.yaml       run the daemon (SIGTERM drains, a second one leaves at once)
  rowferry status -c rowferry.yaml    positions, lag, partitions, parked rows

Exit codes: 0 ok, 1 usage, 2 configuration, 3 position lost, 4 stopped on data or a statement, 5 transient, 70 bug`,
  );
  return root;
}

async function main(): Promise<number> {
  try {
    await program().parseAsync();
    return Number(process.exitCode ?? EXIT.ok);
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const error = toRowferryError(thrown, 'rowferry');
    output.err(error.describe());
    if (error.code === 'ROWFERRY_INVARIANT')
      for (const frame of framesOf(error.cause)) output.err(`    ${frame}`);
    return exitCodeOf(error);
  }
}

process.exit(await main());

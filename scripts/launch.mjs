#!/usr/bin/env node
/**
 * Runs a task of this project, installing its packages first when needed: plain JavaScript, because it has to work before
 * anything is installed.
 *
 *     node scripts/launch.mjs test [vitest arguments]   all checks and tests; with arguments only those tests
 *     node scripts/launch.mjs demo|bench [arguments]    against the built program
 *     node scripts/launch.mjs sandbox up|status|down    real servers to try things on
 */
import { spawn } from 'node:child_process';
import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = resolve(import.meta.dirname, '..');
const OLDEST_NODE = [20, 19];
/** Names the process that installs or builds: its id, and where the system tells it, when that process began. */
const LOCK = join(ROOT, '.launch.lock');
const LOOK_MS = 250;

const tasks = {
  sandbox: (args) => runTypeScript('scripts/sandbox/cli.ts', args),
  demo: async (args) => (await build()) || runTypeScript('scripts/demo/main.ts', args),
  bench: async (args) => (await build()) || runTypeScript('scripts/bench/main.ts', args),
  test: async (args) => {
    const checks = [
      ['format', () => runTool('prettier', 'prettier', ['--check', '--log-level', 'warn', '.'])],
      [
        'lint',
        () => runTool('oxlint', 'oxlint', ['--type-aware', '--deny-warnings', 'src', 'scripts', 'test']),
      ],
      ['typecheck', () => runTool('typescript', 'tsc', ['--noEmit'])],
      ['build', () => alone(() => runTool('typescript', 'tsc', ['-p', 'src']))],
    ];
    const tests = () => runTool('vitest', 'vitest', ['run', '--config', 'test/vitest.config.ts', ...args]);
    for (const [name, run] of [...(args.length > 0 ? [] : checks), ['tests', tests]]) {
      const code = await timed(name, run);
      if (code !== 0) return code;
    }
    return 0;
  },
};

const USAGE = {
  sandbox: 'npm run sandbox -- up|status|down',
  test: 'npm test, or npm test -- [vitest arguments] for some tests alone, such as --project unit test/unit/cli',
};

async function timed(name, run) {
  console.log(`\n== ${name}`);
  const start = Date.now();
  const code = await run();
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  console.log(`== ${name}: ${code === 0 ? 'ok' : `failed with exit code ${code}`} (${seconds} s)`);
  return code;
}

/** Builds unless dist is newer than all of src; returns the exit code. */
async function build() {
  return alone(async () => {
    const built = join(ROOT, 'dist', 'main.js');
    if (existsSync(built) && statSync(built).mtimeMs > newestChange('src')) return 0;
    return runTool('typescript', 'tsc', ['-p', 'src']);
  });
}

function newestChange(folder) {
  const entries = readdirSync(join(ROOT, folder), { recursive: true });
  return Math.max(...entries.map((entry) => statSync(join(ROOT, folder, entry)).mtimeMs));
}

async function install() {
  if (isInstalled()) return 0;
  return alone(async () => {
    // Whoever was before us may have done it.
    if (isInstalled()) return 0;
    console.error('installing packages (npm ci)');
    return run('npm', ['ci', '--no-audit', '--no-fund']);
  });
}

/**
 * Whether node_modules holds what package-lock.json names: npm keeps a list of the same form there, written at the end of an
 * install. Of optional packages only those of this platform are there.
 */
function isInstalled() {
  const [wanted, found] = ['package-lock.json', join('node_modules', '.package-lock.json')].map(packagesOf);
  if (wanted === undefined || found === undefined) return false;
  const isSame = (path) =>
    wanted[path] !== undefined &&
    ['version', 'resolved', 'integrity'].every((field) => wanted[path][field] === found[path][field]);
  const needed = Object.keys(wanted).filter((path) => path !== '' && !wanted[path].optional);
  return Object.keys(found).every(isSame) && needed.every((path) => found[path] !== undefined);
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(join(ROOT, file), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** Runs `work` while no other process of this folder installs or builds. */
async function alone(work) {
  const mine = `${LOCK}.${process.pid}`;
  writeFileSync(mine, `${[process.pid, beginOf(process.pid)].join(' ').trim()}\n`);
  try {
    for (let isTold = false; !take(mine); isTold = true) {
      if (!isTold)
        console.error(
          `waiting for process ${ownerOf(LOCK)?.split(' ')[0] ?? ''}, which installs or builds (${LOCK})`,
        );
      await sleep(LOOK_MS);
    }
    try {
      return await work();
    } finally {
      rmSync(LOCK, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/** A link appears with its content or not at all, so that a lock always names its owner. */
function take(mine) {
  try {
    linkSync(mine, LOCK);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  const owner = ownerOf(LOCK);
  if (owner === undefined || isAlive(owner)) return false;
  // Its owner was killed. Moved away before it is removed: what was taken may by now be another's, who gets it back.
  const old = `${mine}.old`;
  try {
    renameSync(LOCK, old);
    if (ownerOf(old) !== owner) linkSync(old, LOCK);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  }
  rmSync(old, { force: true });
  return false;
}

/** As the lock names it: `<pid> <begin>`. */
function ownerOf(file) {
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Numbers are given again, in a container that is started again even to the same program: who has one now may be another. */
function isAlive(owner) {
  const [pid, begin] = owner.split(' ');
  // Whoever asks holds no lock.
  if (Number(pid) === process.pid) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  const now = beginOf(pid);
  return begin === undefined || now === undefined || begin === now;
}

/** When a process began, in ticks since the machine did; only Linux tells. */
function beginOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name may hold spaces and brackets.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function runTypeScript(file, args) {
  return run(process.execPath, ['--import', 'tsx', join(ROOT, file), ...args]);
}

/** Runs the JavaScript behind a package's command, without a shell or npm in between. */
function runTool(packageName, command, args) {
  const home = join(ROOT, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  return run(process.execPath, [join(home, typeof bin === 'string' ? bin : bin[command]), ...args]);
}

/** Runs a command and returns its exit code. Signals go to the command, which decides when to end. */
function run(command, args) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit' });
    // A terminal sends Ctrl-C to the child as well; a second copy of it would mean "at once" to most programs.
    const forward = (signal) => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal));
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, forward);
    const end = (code) => {
      for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, forward);
      done(code);
    };
    child.once('error', (error) => {
      console.error(`${command}: ${error.message}`);
      end(127);
    });
    child.once('exit', (code, signal) => end(code ?? 128 + constants.signals[signal]));
  });
}

/** Without anything installed; the task shows the same text. */
function helpOf(name) {
  const own = join(ROOT, 'scripts', name, 'usage.txt');
  return existsSync(own) ? readFileSync(own, 'utf8').trimEnd() : `usage: ${USAGE[name]}`;
}

async function main([name, ...args]) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
    console.error(`rowferry needs Node ${OLDEST_NODE.join('.')} or newer; this is ${process.version}`);
    return 1;
  }
  if (name === undefined || !Object.hasOwn(tasks, name)) {
    console.error(`usage: node scripts/launch.mjs ${Object.keys(tasks).join('|')} [arguments]`);
    return 2;
  }
  if (args.includes('--help') || args.includes('-h')) {
    console.log(helpOf(name));
    return 0;
  }
  return (await install()) || tasks[name](args);
}

process.exitCode = await main(process.argv.slice(2));

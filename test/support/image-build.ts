/**
 * Carries out a Dockerfile without Docker: each stage becomes a folder, RUN and COPY happen in it with this machine's Node, and
 * what was built starts as a container would start it. Knows the instructions that `deploy/Dockerfile` uses, and no others.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chownSync, cpSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { runCommand } from '../../scripts/sandbox/run-command.ts';

export interface Instruction {
  readonly word: string;
  readonly text: string;
}

/** A built stage: its folder stands for `/`. */
export interface Image {
  readonly root: string;
  readonly env: Record<string, string>;
  readonly labels: Record<string, string>;
  readonly args: Record<string, string>;
  workdir: string;
  user: string;
  entrypoint: readonly string[];
  command: readonly string[];
  healthcheck: readonly string[];
  stopSignal: string;
}

export function parseDockerfile(text: string): Instruction[] {
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  return lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => {
      const [, word = '', text = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
      if (word === '') throw new Error(`not an instruction: ${line}`);
      return { word, text };
    });
}

/** Builds every stage below `folder` from the files of `context` that its .dockerignore lets through; answers the last one. */
export async function buildImage(dockerfile: string, context: string, folder: string): Promise<Image> {
  const ignore = ignored(readFileSync(join(context, '.dockerignore'), 'utf8'));
  const stages = new Map<string, Image>();
  let image: Image | undefined;
  for (const { word, text } of parseDockerfile(dockerfile)) {
    if (word === 'FROM') {
      const name = / AS (\w+)$/.exec(text)?.[1] ?? 'last';
      image = newStage(join(folder, name));
      stages.set(name, image);
      continue;
    }
    if (image === undefined) throw new Error(`${word} before FROM`);
    if (word === 'COPY') copy(image, text, { context, ignore, stages });
    else if (word === 'RUN') await run(image, text);
    else setting(image, word, text);
  }
  if (image === undefined) throw new Error('no FROM');
  return image;
}

function newStage(root: string): Image {
  mkdirSync(root, { recursive: true });
  return {
    root,
    env: {},
    labels: {},
    args: {},
    workdir: '/',
    user: '0:0',
    entrypoint: [],
    command: [],
    healthcheck: [],
    stopSignal: 'SIGTERM',
  };
}

interface Sources {
  readonly context: string;
  readonly ignore: (path: string) => boolean;
  readonly stages: ReadonlyMap<string, Image>;
}

function copy(image: Image, text: string, { context, ignore, stages }: Sources): void {
  const words = text.split(/\s+/);
  const option = (name: string): string | undefined =>
    words.find((word) => word.startsWith(`--${name}=`))?.split('=')[1];
  const paths = words.filter((word) => !word.startsWith('--'));
  const to = paths.pop() ?? '';
  const from = option('from');
  const owner = option('chown');
  const base = from === undefined ? context : stages.get(from)?.root;
  if (base === undefined) throw new Error(`COPY from ${from}, which is no stage`);
  for (const path of paths) {
    if (from === undefined && ignore(path)) throw new Error(`COPY ${path}: .dockerignore leaves it out`);
    const source = join(base, path);
    const inside = resolve(image.workdir, to);
    const target = join(image.root, to.endsWith('/') ? join(inside, basename(path)) : inside);
    if (statSync(source).isFile() && !to.endsWith('/') && paths.length > 1)
      throw new Error(`COPY of several files needs a folder that ends in "/": ${to}`);
    cpSync(source, target, { recursive: true, verbatimSymlinks: true });
    if (owner !== undefined) chownSync(target, ...ids(owner));
  }
}

async function run(image: Image, command: string): Promise<void> {
  const cwd = join(image.root, image.workdir);
  await runCommand('/bin/sh', ['-ec', command], {
    cwd,
    env: { ...image.env, npm_config_prefer_offline: 'true', NODE_ENV: image.env['NODE_ENV'] ?? '' },
  });
}

function setting(image: Image, word: string, text: string): void {
  switch (word) {
    case 'WORKDIR':
      image.workdir = resolve(image.workdir, text);
      mkdirSync(join(image.root, image.workdir), { recursive: true });
      break;
    case 'ENV':
      Object.assign(image.env, pairs(text, image.args));
      break;
    case 'LABEL':
      Object.assign(image.labels, pairs(text, image.args));
      break;
    case 'ARG':
      Object.assign(image.args, pairs(text, {}));
      break;
    case 'USER':
      image.user = text;
      break;
    case 'STOPSIGNAL':
      image.stopSignal = text;
      break;
    case 'ENTRYPOINT':
      image.entrypoint = JSON.parse(text) as string[];
      break;
    case 'CMD':
      image.command = JSON.parse(text) as string[];
      break;
    case 'HEALTHCHECK':
      image.healthcheck = JSON.parse(/ CMD (\[.*\])$/.exec(text)?.[1] ?? '[]') as string[];
      break;
    case 'EXPOSE':
      break;
    default:
      throw new Error(`${word} is not known to this builder`);
  }
}

function pairs(text: string, args: Readonly<Record<string, string>>): Record<string, string> {
  const found = text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S+))/g);
  const value = (raw: string): string =>
    raw.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => args[name] ?? '');
  return Object.fromEntries(
    [...found].map(([, name = '', quoted, plain = '']) => [name, value(quoted ?? plain)]),
  );
}

/** Only the form that our .dockerignore has: everything is left out but what a line with `!` names. */
function ignored(text: string): (path: string) => boolean {
  const lines = text.split('\n').filter((line) => !/^(#|$)/.test(line));
  if (lines[0] !== '*' || lines.slice(1).some((line) => !line.startsWith('!')))
    throw new Error('.dockerignore: "*" first, then lines with "!"');
  const kept = new Set(lines.slice(1).map((line) => line.slice(1)));
  return (path) => !kept.has(path.split('/')[0] ?? '');
}

function ids(owner: string): [uid: number, gid: number] {
  const [uid, gid] = owner.split(':').map(Number);
  return [uid ?? 0, gid ?? 0];
}

/** Why a container cannot be imitated here; undefined when it can. */
export function whyNoContainer(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const tried = spawnSync('unshare', ['--mount', '--pid', '--fork', '--mount-proc', 'setpriv', '--version']);
  return tried.status === 0 ? undefined : 'needs unshare and setpriv with the right to use them';
}

/**
 * Starts the image as `docker run --read-only --tmpfs /run/rowferry` would: as process 1 of its own process space, as the
 * image's user, everything of it read-only but that folder. `args` take the place of CMD.
 */
export function startContainer(
  image: Image,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): ChildProcess {
  const here = (word: string): string => (word.startsWith('/') ? join(image.root, word) : word);
  const [uid, gid] = ids(image.user);
  const script = `
    mount --bind "$0" "$0"
    mount -o remount,bind,ro "$0"
    mount -t tmpfs -o uid=${uid},gid=${gid} tmpfs "$0/run/rowferry"
    exec setpriv --reuid=${uid} --regid=${gid} --clear-groups --no-new-privs "$@"`;
  const unshare = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '/bin/sh', '-ec', script];
  const own = Object.fromEntries(Object.entries(image.env).map(([name, value]) => [name, here(value)]));
  return spawn('unshare', [...unshare, image.root, ...image.entrypoint.map(here), ...args], {
    env: { PATH: process.env['PATH'], ...own, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Sends a signal to process 1 of the container, as `docker stop` does. */
export function signalContainer(container: ChildProcess, signal: NodeJS.Signals): void {
  const { pid } = container;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  const first = children[0];
  if (first === undefined || first === 0) throw new Error('the container has no process');
  process.kill(first, signal);
}

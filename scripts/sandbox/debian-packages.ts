import { mkdir, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { notice } from './notice.ts';
import { findOnPath, runCommand } from './run-command.ts';
import { SandboxError } from './sandbox-error.ts';

const SOURCES = '/etc/apt';
const DEBIAN_SUITES = new Set(
  'oldstable stable testing unstable sid bullseye bookworm trixie forky duke'.split(' '),
);

/**
 * A Debian package and everything it needs, libc included, unpacked into the cache: returns that root folder. Nothing is
 * installed and no package script runs. Taken from Debian sid through a private apt (own sources, state and cache, and no
 * package counted as installed), because older releases have no MySQL; the mirror is the one that this machine uses.
 */
export function debianPackage(name: string): Promise<string> {
  return cached(`debian-${name}`, async (folder) => {
    for (const command of ['apt-get', 'dpkg']) {
      if (findOnPath(command) === undefined) {
        throw new SandboxError(`there is no ${command} to fetch Debian's ${name} with`, 'use Debian');
      }
    }
    notice(`fetching Debian's ${name} (once)`);
    const apt = join(folder, 'apt');
    const options = await privateApt(apt, await sidSource());
    await runCommand('apt-get', [...options, 'update']);
    await runCommand('apt-get', [
      ...options,
      '--yes',
      '--download-only',
      '--no-install-recommends',
      'install',
      name,
    ]);
    const archives = join(apt, 'cache', 'archives');
    for (const file of await readdir(archives)) {
      if (file.endsWith('.deb')) await runCommand('dpkg', ['-x', join(archives, file), folder]);
    }
    await rm(apt, { recursive: true });
    // The servers may run as another user than the one whose umask this is.
    await runCommand('chmod', ['-R', 'a+rX', folder]);
  });
}

async function privateApt(folder: string, source: AptSource): Promise<string[]> {
  const parts = join(folder, 'sources.d');
  const state = join(folder, 'state');
  const cache = join(folder, 'cache');
  const status = join(folder, 'status');
  await mkdir(parts, { recursive: true });
  await mkdir(join(state, 'lists', 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  await writeFile(status, '');
  await writeFile(join(parts, `sid.${source.format}`), source.text);
  const settings = {
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': parts,
    'Dir::State': state,
    'Dir::State::Status': status,
    'Dir::Cache': cache,
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
  };
  return Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
}

/** A source of packages in one of apt's two notations. */
export interface AptSource {
  readonly format: 'list' | 'sources';
  readonly text: string;
}

/** This machine's first Debian source with its suite replaced by sid. */
async function sidSource(): Promise<AptSource> {
  const parts = await readdir(join(SOURCES, 'sources.list.d')).catch(() => []);
  const files = ['sources.list', ...parts.map((file) => join('sources.list.d', file))];
  for (const file of files) {
    const format = file.endsWith('.sources') ? 'sources' : 'list';
    if (!file.endsWith(`.${format}`)) continue;
    const text = await readFile(join(SOURCES, file), 'utf8').catch(() => '');
    const source = toSid({ format, text });
    if (source !== undefined) return source;
  }
  throw new SandboxError(
    'none of the apt sources of this machine is a Debian mirror',
    'add one under /etc/apt/sources.list.d',
  );
}

/** The first entry of `source` that offers a Debian release, turned to sid; undefined when there is none. */
export function toSid(source: AptSource): AptSource | undefined {
  return source.format === 'list' ? listToSid(source.text) : deb822ToSid(source.text);
}

function listToSid(text: string): AptSource | undefined {
  for (const line of text.split('\n')) {
    const entry = /^deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+main\b/.exec(line.trim());
    if (entry === null || !DEBIAN_SUITES.has(entry[3] ?? '')) continue;
    return { format: 'list', text: `deb ${entry[1] ?? ''}${entry[2]} sid main\n` };
  }
  return undefined;
}

function deb822ToSid(text: string): AptSource | undefined {
  for (const stanza of text.split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    for (const line of stanza.split('\n')) {
      const field = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
      if (field?.[1] !== undefined) fields.set(field[1].toLowerCase(), (field[2] ?? '').trim());
    }
    const words = (name: string): string[] => (fields.get(name) ?? '').split(/\s+/);
    const usable =
      words('types').includes('deb') &&
      words('components').includes('main') &&
      words('suites').some((suite) => DEBIAN_SUITES.has(suite)) &&
      fields.get('enabled') !== 'no';
    const uri = words('uris')[0];
    if (!usable || uri === undefined) continue;
    const signedBy = fields.get('signed-by');
    const lines = ['Types: deb', `URIs: ${uri}`, 'Suites: sid', 'Components: main'];
    // A key may also stand in the stanza itself, on indented lines; then the machine's trusted keys have to do.
    if (signedBy?.startsWith('/')) lines.push(`Signed-By: ${signedBy}`);
    return { format: 'sources', text: `${lines.join('\n')}\n` };
  }
  return undefined;
}

/**
 * How to start `program` (a path below `root`) with the libraries it came with: through the loader of that root. The loader
 * is what fits its libc, whatever this machine's is.
 */
export async function bundledProgram(root: string, program: string): Promise<[string, ...string[]]> {
  for (const triplet of await readdir(join(root, 'usr', 'lib'))) {
    const libraries = join(root, 'usr', 'lib', triplet);
    const loader = (await readdir(libraries).catch(() => [])).find((file) => /^ld-linux.*\.so/.test(file));
    if (loader === undefined) continue;
    return [await realpath(join(libraries, loader)), '--library-path', libraries, join(root, program)];
  }
  throw new SandboxError(`no dynamic loader below ${root}`, `remove that folder and try again`);
}

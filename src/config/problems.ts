/** Turns zod's issues into problems in rowferry's words: what is wrong and how to mend it, never the value found. */
import { z } from 'zod';
import type { Path, Problem } from './locate.ts';
import { NAME_RULE } from './options.ts';
import { didYouMean } from '../model/suggest.ts';

type Issue = z.core.$ZodIssue;

/** What a reader of the problems calls the parts of what he wrote. */
export interface Words {
  readonly unknown: string;
  readonly section: string;
}

const OF_CONFIGURATION: Words = { unknown: 'no option', section: 'a section of `name: value` lines' };

interface Declared {
  readonly root: z.ZodType;
  readonly words: Words;
}

/** Every problem of a value that does not fit its declaration; it was read with `reportInput`. */
export function problemsOf(schema: z.ZodType, error: z.ZodError, words = OF_CONFIGURATION): Problem[] {
  return error.issues.flatMap((issue) => fromIssue(issue, [], { root: schema, words }));
}

function fromIssue(issue: Issue, base: Path, declared: Declared): Problem[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(declared.root, path);
      return issue.keys.map((key) => ({
        path: [...path, key],
        at: 'key',
        message: `is ${declared.words.unknown}${didYouMean(key, known) || (known.length > 0 ? `; known here: ${known.join(', ')}` : '')}`,
      }));
    }
    case 'invalid_key':
      return [{ path, at: 'key', message: nameMessage(issue) }];
    case 'invalid_union':
      return fromUnion(issue, path, declared);
    default:
      return [{ path, at: 'value', message: messageOf(issue, declared.words) }];
  }
}

function nameMessage({ issues }: z.core.$ZodIssueInvalidKey): string {
  const [size] = issues.filter(({ code }) => code === 'too_small' || code === 'too_big');
  return size === undefined ? `is no name; a name is ${NAME_RULE}` : `is no name: it ${messageOf(size)}`;
}

function messageOf(issue: Issue, words = OF_CONFIGURATION): string {
  if (issue.code === 'too_small' || issue.code === 'too_big') return sizeMessage(issue);
  if (issue.code !== 'invalid_type' && issue.code !== 'invalid_value') return issue.message;
  if (isMissing(issue)) return 'is missing';
  if (issue.code === 'invalid_type')
    return `must be ${describeType(issue.expected, words)}; got ${kindOf(issue.input)}`;
  const isText = typeof issue.input === 'string';
  return `must be ${oneOf(issue.values.map(String))}${isText ? '' : `; got ${kindOf(issue.input)}`}`;
}

/** zod tells a missing value from a wrong one only in its text; `reportInput` makes it part of the issue. */
function isMissing(issue: Issue): boolean {
  return issue.input === undefined;
}

function sizeMessage(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  const { input } = issue;
  if (typeof input !== 'string' && !Array.isArray(input)) return `must be ${bound}`;
  if (input.length === 0) return 'must not be empty';
  return `must have ${bound} ${typeof input === 'string' ? 'characters' : 'entries'}; got ${input.length}`;
}

function describeType(expected: string, { section }: Words): string {
  switch (expected) {
    case 'object':
    case 'record':
      return section;
    case 'array':
      return 'a list';
    case 'string':
      return 'text';
    case 'int':
      return 'a whole number';
    case 'number':
      return 'a number';
    case 'boolean':
      return '`true` or `false`';
    default:
      return `of type ${expected}`;
  }
}

/** What was found, in kind: the value itself may be a secret. */
function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'a whole number' : 'another number';
  if (typeof value === 'string') return 'text';
  return typeof value === 'boolean' ? '`true` or `false`' : 'a section';
}

/**
 * A union's issues come by branch. The branch that was meant is the one that fits in type and knows most of the keys; when
 * none fits in type, every branch is named.
 */
function fromUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, declared: Declared): Problem[] {
  if (issue.discriminator !== undefined) {
    const options: unknown = 'options' in issue ? issue.options : [];
    const known = Array.isArray(options) ? options.map(String) : [];
    return [{ path, at: 'value', message: `must be ${oneOf(known)}` }];
  }
  if (isMissing(issue)) return [{ path, at: 'value', message: 'is missing' }];
  const fitting = issue.errors.filter(
    (branch) => !branch.some((inner) => inner.path.length === 0 && isRootMismatch(inner)),
  );
  const meant = fitting.toSorted((a, b) => unknownKeys(a) - unknownKeys(b) || a.length - b.length)[0];
  if (meant !== undefined) return meant.flatMap((inner) => fromIssue(inner, path, declared));
  const ways = issue.errors.flatMap((branch) => branch.map((inner) => messageOf(inner, declared.words)));
  const wanted = [...new Set(ways)].map((way) => way.replace(/^must be /, '').replace(/; got .*$/, ''));
  const got = issue.input === undefined ? '' : `; got ${kindOf(issue.input)}`;
  return [{ path, at: 'value', message: `must be ${wanted.join(', or ')}${got}` }];
}

function isRootMismatch(issue: Issue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'custom';
}

function unknownKeys(branch: readonly Issue[]): number {
  return branch.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 0), 0);
}

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? `${values[0]}` : `one of ${values.join(', ')}`;
}

/** Names of the options of the section at a path. */
function knownKeys(root: z.ZodType, path: Path): string[] {
  let here: readonly z.core.$ZodType[] = [root];
  for (const part of path) here = here.flatMap(unwrap).flatMap((schema) => step(schema, part));
  const keys = here
    .flatMap(unwrap)
    .flatMap((schema) => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : []));
  return [...new Set(keys)];
}

/** A schema without its wrappers; a union is each of its branches. */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return unwrap(schema.unwrap());
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(unwrap);
  return [schema];
}

function step(schema: z.core.$ZodType, part: string | number): z.core.$ZodType[] {
  if (schema instanceof z.ZodArray) return [schema.element];
  if (schema instanceof z.ZodRecord) return [schema.valueType];
  const child: unknown = schema instanceof z.ZodObject ? schema.shape[part] : undefined;
  return child instanceof z.ZodType ? [child] : [];
}

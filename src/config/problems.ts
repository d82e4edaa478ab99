/** Turns zod's issues into problems in rowferry's words: what is wrong and how to mend it, never the value found. */
import { z } from 'zod';
import type { Path, Problem } from './locate.ts';
import { NAME_RULE } from './options.ts';
import { didYouMean } from '../model/suggest.ts';

type Issue = z.core.$ZodIssue;

/** Every problem of a value that does not fit its declaration. */
export function problemsOf(schema: z.ZodType, error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue) => fromIssue(issue, [], schema));
}

function fromIssue(issue: Issue, base: Path, root: z.ZodType): Problem[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(root, path);
      return issue.keys.map((key) => ({
        path: [...path, key],
        at: 'key',
        message: `is no option${didYouMean(key, known) || (known.length > 0 ? `; known here: ${known.join(', ')}` : '')}`,
      }));
    }
    case 'invalid_key':
      return [{ path, at: 'key', message: `is no name; a name is ${NAME_RULE}` }];
    case 'invalid_union':
      return fromUnion(issue, path, root);
    default:
      return [{ path, at: 'value', message: messageOf(issue, issue.message) }];
  }
}

function messageOf(issue: Issue, given: string): string {
  switch (issue.code) {
    case 'invalid_type':
      return isMissing(issue) ? 'is missing' : `must be ${describeType(issue.expected)}`;
    case 'invalid_value':
      return isMissing(issue) ? 'is missing' : `must be ${oneOf(issue.values.map(String))}`;
    case 'too_small':
      return 'must not be empty';
    default:
      return given;
  }
}

/** zod tells a missing value from a wrong one only in its text; `reportInput` makes it part of the issue. */
function isMissing(issue: Issue): boolean {
  return issue.input === undefined;
}

function describeType(expected: string): string {
  if (expected === 'object' || expected === 'record') return 'a section of `name: value` lines';
  if (expected === 'array') return 'a list';
  return expected === 'string' ? 'text' : `of type ${expected}`;
}

/**
 * A union's issues come by branch. The branch that was meant is the one that fits in type and knows most of the keys; when
 * none fits in type, every branch is named.
 */
function fromUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, root: z.ZodType): Problem[] {
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
  if (meant !== undefined) return meant.flatMap((inner) => fromIssue(inner, path, root));
  const ways = issue.errors.flatMap((branch) => branch.map((inner) => messageOf(inner, inner.message)));
  const words = [...new Set(ways)].map((way) => way.replace(/^must be /, ''));
  return [{ path, at: 'value', message: `must be ${words.join(', or ')}` }];
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

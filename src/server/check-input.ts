/** What is wrong with a query or a body, in the words of the configuration's problems: each field with what is wanted. */
import type { z } from 'zod';
import { formatPath } from '../config/locate.ts';
import type { Words } from '../config/problems.ts';
import { problemsOf } from '../config/problems.ts';

const WORDS: Words = { unknown: 'no field', section: 'an object' };

/** Told of one request; names that a caller makes up are cut. */
const MOST_PROBLEMS = 10;
const LONGEST_PROBLEM = 300;

/** The value as the schema reads it, or what is wrong with it: never a value that was sent, which may be a secret. */
export function checkInput(
  schema: z.ZodType,
  value: unknown,
  what: 'query' | 'body',
): { readonly value: unknown } | { readonly wrong: string } {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return { value: parsed.data };
  const problems = problemsOf(schema, parsed.error, WORDS).map(
    ({ path, message }) => `${cut(formatPath([what, ...path]))}: ${cut(message)}`,
  );
  const left = problems.length - MOST_PROBLEMS;
  return { wrong: [...problems.slice(0, MOST_PROBLEMS), ...(left > 0 ? [`${left} more`] : [])].join('; ') };
}

function cut(text: string): string {
  return text.length > LONGEST_PROBLEM ? `${text.slice(0, LONGEST_PROBLEM)}…` : text;
}

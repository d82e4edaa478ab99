/** Which topics a source reads: a topic's name, or a regular expression between slashes that must match a whole name. */

interface TopicPattern {
  /** As written. */
  readonly text: string;
  readonly matches: (topic: string) => boolean;
  /** The one topic that it names; null for a regular expression. */
  readonly name: string | null;
}

const NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;
const EXPRESSION = /^\/(.+)\/$/s;

/** Reads one pattern; `wrong` completes "must be …". */
export function parseTopicPattern(
  text: string,
): { readonly value: TopicPattern } | { readonly wrong: string } {
  const source = EXPRESSION.exec(text)?.[1];
  if (source === undefined) {
    if (!NAME.test(text)) return { wrong: 'a topic name, or a regular expression between slashes' };
    return { value: { text, matches: (topic) => topic === text, name: text } };
  }
  try {
    const pattern = new RegExp(`^(?:${source})$`, 'u');
    return { value: { text, matches: (topic) => pattern.test(topic), name: null } };
  } catch {
    return { wrong: 'a regular expression that JavaScript understands' };
  }
}

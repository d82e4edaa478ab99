/**
 * Interpolation of a scalar of the configuration, after YAML was parsed: a value can never change the file's structure.
 *
 * - `${env:NAME}` is the environment variable, or the content of the file that `NAME_FILE` names when only that is set;
 * - `${env:NAME:-default}` takes the default when the variable is unset or empty;
 * - `${file:/run/secrets/x}` is the content of a file without its last line break, relative to the configuration's folder;
 * - `$${` is a literal `${`.
 *
 * Within the user and password of a URL a value is taken literally: it is percent-encoded here, so a password may hold any
 * character.
 */

/** Where values come from. `readFile` throws as `fs.readFileSync` does. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
}

interface Interpolated {
  readonly text: string;
  readonly problems: readonly string[];
}

const PLACEHOLDER = /\$\$\{|\$\{([^}]*)(\}?)/g;
const URL_START = /^[a-z][a-z0-9+.-]*:\/\//i;
const ENV = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

export function interpolate(text: string, surroundings: Surroundings): Interpolated {
  const problems: string[] = [];
  const userinfoEnd = URL_START.test(text) ? text.lastIndexOf('@') : -1;
  const replaced = text.replace(
    PLACEHOLDER,
    (whole: string, inside: string | undefined, close, at: number) => {
      if (inside === undefined) return '${';
      if (close === '') {
        problems.push('has a `${` without its `}`; write `$${` for a literal `${`');
        return whole;
      }
      const found = lookUp(inside, surroundings);
      if ('wrong' in found) {
        problems.push(found.wrong);
        return whole;
      }
      return at < userinfoEnd ? encodeURIComponent(found.value) : found.value;
    },
  );
  return { text: replaced, problems };
}

type Found = { readonly value: string } | { readonly wrong: string };

function lookUp(inside: string, { env, readFile }: Surroundings): Found {
  if (inside.startsWith('env:')) {
    const [, name, fallback] = ENV.exec(inside.slice('env:'.length)) ?? [];
    if (name === undefined)
      return {
        wrong: `\`\${${inside}}\` is no variable; write \`\${env:NAME}\` or \`\${env:NAME:-default}\``,
      };
    const value = env[name];
    if (value !== undefined && (value !== '' || fallback === undefined)) return { value };
    const file = env[`${name}_FILE`];
    if (value === undefined && file !== undefined && file !== '') return contentOf(file, readFile);
    if (fallback !== undefined) return { value: fallback };
    return {
      wrong: `environment variable ${name} is not set; set it, or write \`\${env:${name}:-default}\``,
    };
  }
  if (inside.startsWith('file:')) return contentOf(inside.slice('file:'.length), readFile);
  return {
    wrong:
      'interpolates from an unknown place; write `${env:NAME}`, `${file:path}` or `$${` for a literal `${`',
  };
}

function contentOf(path: string, readFile: Surroundings['readFile']): Found {
  try {
    return { value: readFile(path).replace(/\r?\n$/, '') };
  } catch (error) {
    return { wrong: `cannot read file ${path} (${systemCode(error)})` };
  }
}

/** `ENOENT` and the like; never a message, which may quote what it should not. */
export function systemCode(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'unreadable';
}

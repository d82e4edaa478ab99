import { readFileSync } from 'node:fs';

/** The version in package.json, which stands one folder above the compiled files and above the sources alike. */
export const VERSION = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  }
).version;

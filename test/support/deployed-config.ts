import { parse as parseYaml, stringify } from 'yaml';
import { configJsonSchema } from '../../src/config/json-schema.ts';

/** The text of a deployed configuration, for the parser of this version: its section `http` counts once the parser has one. */
export function configurationIn(text: string): string {
  const { properties } = configJsonSchema() as { readonly properties: object };
  if ('http' in properties) return text;
  const { http: _, ...rest } = parseYaml(text) as Record<string, unknown>;
  return stringify(rest);
}

/** The API's description, made from its routes (OpenAPI 3.1). Pure. */
import { z } from 'zod';
import { VERSION } from '../version.ts';
import type { Access } from './access.ts';
import type { Route } from './route.ts';
import { errorAnswer } from './schemas.ts';

/** A route whose answer is no JSON. */
export interface TextRoute {
  readonly url: string;
  readonly summary: string;
  readonly access: Access;
  readonly contentType: string;
}

export function openApi(routes: readonly Route[], texts: readonly TextRoute[]): object {
  const paths: Record<string, object> = {};
  for (const route of routes) {
    paths[route.url] = { ...paths[route.url], [route.method.toLowerCase()]: operation(route) };
  }
  for (const { url, summary, access, contentType } of texts) {
    const content = { [contentType]: { schema: { type: 'string' } } };
    paths[url] = {
      get: {
        summary,
        security: securityOf(access),
        responses: { 200: { description: 'as asked', content }, ...errors(access) },
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'rowferry', version: VERSION, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
  };
}

function operation({ summary, access, query, body, answer, alsoStatus }: Route): object {
  const content = { 'application/json': { schema: schemaOf(answer, 'output') } };
  const responses = Object.fromEntries(
    [200, ...alsoStatus].map((status) => [status, { description: 'as asked', content }]),
  );
  return {
    summary,
    security: securityOf(access),
    ...(query === undefined ? {} : { parameters: parametersOf(query) }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(body, 'input') } },
          },
        }),
    responses: { ...responses, ...errors(access) },
  };
}

function parametersOf(query: z.ZodType): object[] {
  if (!(query instanceof z.ZodObject)) return [];
  return Object.entries(query.shape).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema: schemaOf(schema as z.ZodType, 'input'),
  }));
}

function errors(access: Access): object {
  const content = { 'application/json': { schema: schemaOf(errorAnswer, 'output') } };
  return access === 'open' ? {} : { default: { description: 'why not', content } };
}

/** Nothing, or the token: whether reading needs it depends on the address that the daemon listens at. */
function securityOf(access: Access): object[] {
  if (access === 'open') return [];
  return access === 'read' ? [{}, { token: [] }] : [{ token: [] }];
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

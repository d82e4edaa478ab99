/** A daemon's API as its users see it: every answer is held against the description that the daemon gives of itself. */
import { expect } from 'vitest';
import { z } from 'zod';
import type { Daemon } from '../../scripts/lib/daemon.ts';
import { API_TOKEN } from './pipeline-config.ts';

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Fails when the description does not know of such an answer, or of one of its fields. */
export function expectDescribed(
  { paths }: Description,
  method: string,
  url: string,
  { status, body }: Answer,
): void {
  const responses = paths[url]?.[method.toLowerCase()]?.responses;
  const content = (responses?.[status] ?? responses?.['default'])?.content;
  const schema = content?.['application/json']?.schema;
  expect(schema, `the description of ${method} ${url} with ${status}`).toBeDefined();
  const parsed = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(body);
  expect(parsed.error?.issues ?? [], `${method} ${url} with ${status}`).toEqual([]);
}

export class Api {
  readonly address: string;
  #description: Description | undefined;

  constructor(daemon: Daemon) {
    const address = daemon.status?.http;
    if (typeof address !== 'string') throw new Error('the daemon tells no address');
    this.address = address;
  }

  async get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
    return await this.#ask('GET', url, { headers });
  }

  async post(url: string, body: object, token: string | null = API_TOKEN): Promise<Answer> {
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
    const headers = { 'content-type': 'application/json', ...authorization };
    return await this.#ask('POST', url, { headers, body: JSON.stringify(body) });
  }

  async text(url: string): Promise<string> {
    return await (await fetch(`${this.address}${url}`)).text();
  }

  async #ask(method: string, url: string, init: RequestInit): Promise<Answer> {
    this.#description ??= (await (await fetch(`${this.address}/api/openapi.json`)).json()) as Description;
    const response = await fetch(`${this.address}${url}`, { method, ...init });
    const answer = { status: response.status, body: (await response.json()) as Answer['body'] };
    expectDescribed(this.#description, method, url.split('?')[0] ?? url, answer);
    return answer;
  }
}

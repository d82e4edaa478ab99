/** Who may do what. Reading is free on the loopback; actions always need the token. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isLoopback } from '../config/loopback.ts';
import type { HttpSettings } from '../config/config.ts';

/** `open` for probes, `read` for what tells of the pipeline, `act` for what changes it. */
export type Access = 'open' | 'read' | 'act';

interface Refusal {
  readonly status: 401 | 403;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

interface AccessRequest {
  readonly access: Access;
  readonly authorization: string | undefined;
  readonly host: string | undefined;
}

/** Why a request is refused; undefined when it may pass. */
export function refusal(
  { access, authorization, host }: AccessRequest,
  settings: HttpSettings,
): Refusal | undefined {
  if (access === 'open') return undefined;
  const onLoopback = isLoopback(settings.host);
  // A web page can make a browser send requests here under a name of its own that leads to the loopback.
  if (onLoopback && !isLoopback(hostName(host))) {
    return {
      status: 403,
      code: 'wrong-host',
      message: 'the request names another host',
      hint: 'ask for 127.0.0.1 or localhost',
    };
  }
  if (access === 'read' && onLoopback) return undefined;
  const token = settings.token?.reveal();
  if (token === undefined) {
    return {
      status: 403,
      code: 'no-token-configured',
      message: 'actions are off: the configuration has no http.token',
      hint: 'set http.token and restart, or use the command line',
    };
  }
  if (isSame(authorization ?? '', `Bearer ${token}`)) return undefined;
  return {
    status: 401,
    code: 'unauthorized',
    message: authorization === undefined ? 'this needs a token' : 'the token is not right',
    hint: 'send the header: Authorization: Bearer <http.token>',
  };
}

/** Takes the same time wherever two texts differ. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

function hostName(host: string | undefined): string {
  return (host ?? '').replace(/:\d+$/, '');
}

/** Posts alerts as JSON. Each request is signed, so that the receiver can tell who sent it and when. */
import { createHmac } from 'node:crypto';
import type { WebhookChannelSettings } from '../../config/config.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { ChannelError, codeOf } from './channel.ts';
import type { Channel } from './channel.ts';
import { deliveryJson } from './delivery.ts';
import type { Delivery } from './delivery.ts';

export class WebhookChannel implements Channel {
  readonly #settings: WebhookChannelSettings;
  readonly #target: Target;
  readonly #now: () => number;

  constructor(settings: WebhookChannelSettings, now: () => number = Date.now) {
    this.#settings = settings;
    this.#target = targetOf(settings.url.reveal());
    this.#now = now;
  }

  async send(delivery: Delivery, signal: AbortSignal): Promise<void> {
    const body = deliveryJson(delivery);
    const status = await withDeadline(signal, this.#settings.timeoutMs, async (bounded) => {
      try {
        const response = await fetch(this.#target.url, {
          method: 'POST',
          headers: this.#headers(delivery.id, body),
          body,
          // A signed message must not go where the configuration does not say.
          redirect: 'manual',
          signal: bounded,
        });
        await response.body?.cancel();
        return response.status;
      } catch (error) {
        const isLate = bounded.aborted && !signal.aborted;
        throw new ChannelError(isLate ? 'no answer in time' : `no connection (${codeOf(error)})`);
      }
    });
    if (status >= 200 && status < 300) return;
    // Also of a refusal (a token that ran out, say) the receiver is told once it is mended.
    throw new ChannelError(`answered with status ${status}`);
  }

  #headers(id: string, body: string): Record<string, string> {
    const { headers, secret } = this.#settings;
    const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]));
    const sentAt = String(Math.floor(this.#now() / 1000));
    return {
      'content-type': 'application/json',
      'user-agent': 'rowferry',
      ...this.#target.headers,
      ...own,
      'x-rowferry-delivery': id,
      'x-rowferry-timestamp': sentAt,
      ...(secret === null ? {} : { 'x-rowferry-signature': signatureOf(secret.reveal(), sentAt, body) }),
    };
  }
}

interface Target {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** User and password of a URL go into a header: `fetch` refuses them where they stand. */
function targetOf(text: string): Target {
  const url = new URL(text);
  if (url.username === '' && url.password === '') return { url: text, headers: {} };
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  return { url: url.href, headers: { authorization: `Basic ${Buffer.from(login).toString('base64')}` } };
}

/** `v1=` and HMAC-SHA256 of `<timestamp>.<body>` in hex: a receiver refuses old times, so that nothing can be played again. */
export function signatureOf(secret: string, timestamp: string, body: string): string {
  return `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
}

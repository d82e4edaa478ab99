/** Sends alerts by mail (SMTP). */
import { createTransport } from 'nodemailer';
import type { EmailChannelSettings } from '../../config/config.ts';
import { ChannelError, codeOf } from './channel.ts';
import type { Channel } from './channel.ts';
import { deliveryMail } from './delivery.ts';
import type { Delivery } from './delivery.ts';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

export class EmailChannel implements Channel {
  readonly #settings: EmailChannelSettings;

  constructor(settings: EmailChannelSettings) {
    this.#settings = settings;
  }

  async send(delivery: Delivery, signal: AbortSignal): Promise<void> {
    const { from, to, timeoutMs } = this.#settings;
    const url = new URL(this.#settings.url.reveal());
    const isTls = url.protocol === 'smtps:';
    const hasUser = url.username !== '';
    const transport = createTransport({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (isTls ? 465 : 587) : Number(url.port),
      secure: isTls,
      // A password never travels in the open.
      requireTLS: !isTls && hasUser && !LOOPBACK.includes(url.hostname),
      ...(hasUser
        ? { auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } }
        : {}),
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      // Texts only: nothing is read from files or addresses that a message could name.
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    const sending = transport.sendMail({
      from,
      to: [...to],
      ...deliveryMail(delivery),
      messageId: `<${delivery.id}@rowferry>`,
    });
    try {
      await endedBy(sending, timeoutMs, signal);
    } catch (thrown) {
      if (thrown instanceof ChannelError) throw thrown;
      const status: unknown =
        thrown instanceof Error && 'responseCode' in thrown ? thrown.responseCode : undefined;
      const answer = typeof status === 'number' ? `, the server answered ${status}` : '';
      throw new ChannelError(`could not be sent (${codeOf(thrown)}${answer})`);
    } finally {
      transport.close();
    }
  }
}

/** A mail that is being sent takes no signal: it is left to its socket's timeout, and its end no longer counts. */
async function endedBy(sending: Promise<unknown>, ms: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ChannelError('no answer in time')), ms);
    onAbort = () => reject(new ChannelError('was broken off'));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([sending, late]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}

/** Where a one-partition topic ends; asked often, over one connection that is kept. */
import type kafkajs from 'kafkajs';
import { settleWithin, type KafkaLink } from './kafka-client.ts';
import { kafkaError } from './kafka-errors.ts';

type OpenClient = Awaited<ReturnType<KafkaLink['open']>>;

export class LogEnd {
  readonly #link: KafkaLink;
  readonly #topic: string;
  #open: { readonly client: OpenClient; readonly admin: kafkajs.Admin } | undefined;

  constructor(link: KafkaLink, topic: string) {
    this.#link = link;
    this.#topic = topic;
  }

  /** Offset of the next record. Rejects with a Kafka error; the next call connects anew. */
  async read(): Promise<number> {
    try {
      const { admin } = (this.#open ??= await this.#connect());
      const [partition] = await admin.fetchTopicOffsets(this.#topic);
      return Number(partition?.high ?? 0);
    } catch (error) {
      await this.close();
      throw kafkaError(error, `reading the end of ${this.#topic}`);
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    await settleWithin(open.admin.disconnect(), 1_000);
    open.client.abandon();
  }

  async #connect() {
    const client = await this.#link.open();
    const admin = client.kafka.admin();
    await admin.connect();
    return { client, admin };
  }
}

/** How far a consumer group says that it is in one topic; asked often, over one connection that is kept. */
import type kafkajs from 'kafkajs';
import { settleWithin, type KafkaLink } from './kafka-client.ts';
import { kafkaError } from './kafka-errors.ts';

type OpenClient = Awaited<ReturnType<KafkaLink['open']>>;

export class GroupOffsets {
  readonly #link: KafkaLink;
  readonly #groupId: string;
  readonly #topic: string;
  #open: { readonly client: OpenClient; readonly admin: kafkajs.Admin } | undefined;

  constructor(link: KafkaLink, groupId: string, topic: string) {
    this.#link = link;
    this.#groupId = groupId;
    this.#topic = topic;
  }

  /** Committed offsets by partition; 0 where nothing was committed. Rejects with a Kafka error; the next call connects anew. */
  async read(): Promise<readonly number[]> {
    try {
      const { admin } = (this.#open ??= await this.#connect());
      const [found] = await admin.fetchOffsets({ groupId: this.#groupId, topics: [this.#topic] });
      const offsets: number[] = [];
      for (const { partition, offset } of found?.partitions ?? [])
        offsets[partition] = Math.max(0, Number(offset));
      return offsets;
    } catch (error) {
      await this.close();
      throw kafkaError(error, `reading offsets of group ${this.#groupId}`);
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

/** Small questions to Kafka that are asked often, each over one connection that is kept. */
import type kafkajs from 'kafkajs';
import { settleWithin, type KafkaLink } from './kafka-client.ts';

type OpenClient = Awaited<ReturnType<KafkaLink['open']>>;

/** A connection that is made at the first question, and anew after one that failed. */
class KeptAdmin {
  readonly #link: KafkaLink;
  readonly #does: string;
  #open: { readonly client: OpenClient; readonly admin: kafkajs.Admin } | undefined;

  /** `does` tells in errors what the question is. */
  constructor(link: KafkaLink, does: string) {
    this.#link = link;
    this.#does = does;
  }

  async ask<T>(question: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
    try {
      const { admin } = (this.#open ??= await this.#connect());
      return await question(admin);
    } catch (error) {
      await this.close();
      throw this.#link.error(error, this.#does);
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

/** How far a consumer group says that it is in one topic. */
export class GroupOffsets {
  readonly #admin: KeptAdmin;
  readonly #groupId: string;
  readonly #topic: string;

  constructor(link: KafkaLink, groupId: string, topic: string) {
    this.#admin = new KeptAdmin(link, `reading offsets of group ${groupId}`);
    this.#groupId = groupId;
    this.#topic = topic;
  }

  /** Committed offsets by partition; 0 where nothing was committed. Rejects with a Kafka error. */
  async read(): Promise<readonly number[]> {
    const [found] = await this.#admin.ask(
      async (admin) => await admin.fetchOffsets({ groupId: this.#groupId, topics: [this.#topic] }),
    );
    const offsets: number[] = [];
    for (const { partition, offset } of found?.partitions ?? [])
      offsets[partition] = Math.max(0, Number(offset));
    return offsets;
  }

  async close(): Promise<void> {
    await this.#admin.close();
  }
}

/** Where a topic of one partition ends. */
export class LogEnd {
  readonly #admin: KeptAdmin;
  readonly #topic: string;

  constructor(link: KafkaLink, topic: string) {
    this.#admin = new KeptAdmin(link, `reading the end of ${topic}`);
    this.#topic = topic;
  }

  /** Offset of the next record. Rejects with a Kafka error. */
  async read(): Promise<number> {
    const [partition] = await this.#admin.ask(async (admin) => await admin.fetchTopicOffsets(this.#topic));
    return Number(partition?.high ?? 0);
  }

  async close(): Promise<void> {
    await this.#admin.close();
  }
}

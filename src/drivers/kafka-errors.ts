/** What a kafkajs error means to rowferry: by Kafka's error code (`type`), kafkajs' error class and errno, never by text. */
import { RowferryError, type ErrorCode, type ErrorWhere } from '../errors.ts';

/** The parts of a kafkajs or socket error that tell what happened. */
interface KafkaFault {
  /** Error class, such as `KafkaJSConnectionError`. */
  readonly name: string;
  /** Kafka's protocol error, such as `MESSAGE_TOO_LARGE`. */
  readonly type: string | undefined;
  /** errno or TLS code of a socket, such as `ECONNREFUSED`. */
  readonly code: string | undefined;
  readonly retriable: boolean;
}

const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

const TOPIC_UNKNOWN = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'INVALID_TOPIC_EXCEPTION']);

/** An operator must act: access, policy, or a server that cannot do what is asked. */
const REFUSALS: Readonly<Record<string, string>> = {
  TOPIC_AUTHORIZATION_FAILED: "grant this Kafka user access to the pipeline's topics",
  GROUP_AUTHORIZATION_FAILED: "grant this Kafka user READ on the pipeline's consumer groups",
  CLUSTER_AUTHORIZATION_FAILED: 'grant this Kafka user the cluster operation, or create the topics by hand',
  SASL_AUTHENTICATION_FAILED: 'check the SASL user name, password and mechanism',
  UNSUPPORTED_SASL_MECHANISM: 'choose a SASL mechanism that the brokers offer',
  ILLEGAL_SASL_STATE: 'check whether the brokers expect SASL on this port',
  SECURITY_DISABLED: 'the brokers have security switched off: remove sasl from the configuration',
  INVALID_CONFIG: "Kafka refuses a topic setting: compare it with the broker's limits",
  POLICY_VIOLATION: "the brokers' create-topic policy refuses: create the topic by hand",
  INVALID_REPLICATION_FACTOR: 'the replication factor is larger than the number of brokers',
  INVALID_PARTITIONS: 'the number of partitions is not acceptable to the brokers',
  INVALID_TOPIC_EXCEPTION: 'choose another topic prefix: letters, digits, dot, dash and underscore',
  INVALID_SESSION_TIMEOUT:
    "the session timeout must lie within the broker's group.min/max.session.timeout.ms",
  INVALID_GROUP_ID: 'choose another pipeline name',
  INCONSISTENT_GROUP_PROTOCOL: 'another program uses the same consumer group: stop it or rename the pipeline',
  GROUP_MAX_SIZE_REACHED: 'the consumer group is full (group.max.size): run fewer appliers',
  UNSUPPORTED_VERSION: 'this Kafka version does not speak the protocol versions that rowferry needs',
  UNSUPPORTED_COMPRESSION_TYPE: 'choose another compression',
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 'the topic uses a message format before Kafka 0.11: recreate it',
  INVALID_RECORD: 'the topic refuses this kind of record: check its cleanup.policy',
  INVALID_TIMESTAMP: "raise the topic's message.timestamp.before.max.ms and after.max.ms",
  INVALID_REQUIRED_ACKS: 'this Kafka does not take acks=all',
};

const TLS_CODES =
  /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)|^HOSTNAME_MISMATCH$|^EPROTO$/;

/** Reads the innermost cause that says something; kafkajs wraps it in retry errors. */
export function faultOf(error: unknown): KafkaFault {
  let fault: KafkaFault = { name: 'unknown', type: undefined, code: undefined, retriable: false };
  const seen = new Set<unknown>();
  for (let each: unknown = error; each instanceof Error && !seen.has(each); each = each.cause) {
    seen.add(each);
    const type = textField(each, 'type');
    const code = textField(each, 'code');
    fault = {
      name: each.name,
      type: type ?? fault.type,
      code: code ?? fault.code,
      retriable: 'retriable' in each ? each.retriable === true : fault.retriable,
    };
  }
  return fault;
}

function textField(error: Error, field: 'type' | 'code'): string | undefined {
  const value: unknown = Reflect.get(error, field);
  return typeof value === 'string' ? value : undefined;
}

export function isTooLarge(fault: KafkaFault): boolean {
  return fault.type !== undefined && TOO_LARGE.has(fault.type);
}

/** The broker does not know the topic or partition: perhaps gone, perhaps only stale metadata. Ask before deciding. */
export function isTopicUnknown(fault: KafkaFault): boolean {
  return (
    (fault.type !== undefined && TOPIC_UNKNOWN.has(fault.type)) ||
    fault.name === 'KafkaJSMetadataNotLoaded' ||
    fault.name === 'KafkaJSTopicMetadataNotLoaded'
  );
}

/**
 * kafkajs reports a link that broke during the SASL exchange like a wrong password. Loops that run for long try such a
 * refusal a few times before they believe it.
 */
export function isDoubtful(error: RowferryError): boolean {
  return faultOf(error.cause).name === 'KafkaJSSASLAuthenticationError';
}

/** What an operator of Kafka may take away and give back: the login itself, or what the user may do. */
export function accessOf(error: RowferryError): 'login' | 'grant' | null {
  const { name, type, code } = faultOf(error.cause);
  if (type === 'SASL_AUTHENTICATION_FAILED' || name === 'KafkaJSSASLAuthenticationError') return 'login';
  if (type !== undefined) return type.endsWith('_AUTHORIZATION_FAILED') ? 'grant' : null;
  return code !== undefined && TLS_CODES.test(code) ? 'login' : null;
}

/** The error of rowferry for whatever kafkajs threw; an error of rowferry passes through. */
export function kafkaError(error: unknown, doing: string, where: ErrorWhere = {}): RowferryError {
  if (error instanceof RowferryError) return error.at(where);
  const fault = faultOf(error);
  const { code, hint } = judge(fault);
  const what = fault.type ?? fault.code ?? fault.name;
  return new RowferryError(code, `${doing}: ${what}`, {
    where,
    cause: error,
    ...(hint === '' ? {} : { hint }),
  });
}

function judge(fault: KafkaFault): { readonly code: ErrorCode; readonly hint: string } {
  const { name, type, code } = fault;
  if (type !== undefined) {
    if (TOO_LARGE.has(type)) {
      return {
        code: 'ROWFERRY_KAFKA_RECORD_TOO_LARGE',
        hint: "raise the topic's max.message.bytes, and kafka.maxMessageBytes with it",
      };
    }
    const refusal = REFUSALS[type];
    if (refusal !== undefined) return { code: 'ROWFERRY_KAFKA_REFUSED', hint: refusal };
    if (type === 'KAFKAJS_UNKNOWN_ERROR_CODE') {
      return {
        code: 'ROWFERRY_KAFKA_REFUSED',
        hint: 'rowferry does not know this error of Kafka: see its log',
      };
    }
    // Every other protocol error passes: leader moves, coordinators that load, rebalances, sequence and epoch errors
    // (which a new producer cures), too few replicas in sync.
    return { code: 'ROWFERRY_KAFKA_LINK', hint: '' };
  }
  if (name === 'KafkaJSSASLAuthenticationError') {
    return { code: 'ROWFERRY_KAFKA_REFUSED', hint: 'check the SASL user name, password and mechanism' };
  }
  if (name === 'KafkaJSNotImplemented') {
    return {
      code: 'ROWFERRY_KAFKA_REFUSED',
      hint: 'the topic holds a compression that is not installed: add lz4-napi, or use gzip or none',
    };
  }
  if (name === 'KafkaJSServerDoesNotSupportApiKey') {
    return { code: 'ROWFERRY_KAFKA_REFUSED', hint: 'this Kafka version lacks a request that rowferry needs' };
  }
  if (code !== undefined && TLS_CODES.test(code)) {
    return {
      code: 'ROWFERRY_KAFKA_REFUSED',
      hint: 'check kafka.tls: the certificate authority, host name and port',
    };
  }
  if (name === 'KafkaJSPartialMessageError' || name === 'KafkaJSUnsupportedMagicByteInMessageSet') {
    return { code: 'ROWFERRY_WIRE_CORRUPT', hint: '' };
  }
  if (name === 'KafkaJSConnectionClosedError') {
    // A passing thing, mostly; but a broker that expects TLS or SASL says no more than this either.
    return {
      code: 'ROWFERRY_KAFKA_LINK',
      hint: 'should it stay so, check the port, kafka.tls and kafka.sasl',
    };
  }
  // Connections, timeouts, missing brokers, and the TypeErrors that kafkajs throws when its broker pool runs empty while
  // Kafka is away: all of them are gone with a new client.
  return { code: 'ROWFERRY_KAFKA_LINK', hint: '' };
}

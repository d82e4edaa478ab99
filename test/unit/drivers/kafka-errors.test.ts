import kafkajs from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { RowferryError } from '../../../src/errors.ts';
import { KafkaLink } from '../../../src/drivers/kafka-client.ts';
import {
  faultOf,
  isDoubtful,
  isTooLarge,
  isTopicUnknown,
  kafkaError,
} from '../../../src/drivers/kafka-errors.ts';

function protocolError(type: string, retriable = false): Error {
  return new kafkajs.KafkaJSProtocolError(Object.assign(new Error('text'), { type, code: 1, retriable }));
}

function exhausted(cause: Error): Error {
  return new kafkajs.KafkaJSNumberOfRetriesExceeded(cause, { retryCount: 5, retryTime: 10 });
}

/** Error classes whose constructors kafkajs declares without their message. */
function named(name: string): Error {
  return Object.assign(new Error('text'), { name });
}

describe('kafkaError', () => {
  test.each([
    ['LEADER_NOT_AVAILABLE', 'ROWFERRY_KAFKA_LINK'],
    ['GROUP_LOAD_IN_PROGRESS', 'ROWFERRY_KAFKA_LINK'],
    ['NOT_ENOUGH_REPLICAS', 'ROWFERRY_KAFKA_LINK'],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'ROWFERRY_KAFKA_LINK'],
    ['UNKNOWN_TOPIC_OR_PARTITION', 'ROWFERRY_KAFKA_LINK'],
    ['MESSAGE_TOO_LARGE', 'ROWFERRY_KAFKA_RECORD_TOO_LARGE'],
    ['RECORD_LIST_TOO_LARGE', 'ROWFERRY_KAFKA_RECORD_TOO_LARGE'],
    ['TOPIC_AUTHORIZATION_FAILED', 'ROWFERRY_KAFKA_REFUSED'],
    ['SASL_AUTHENTICATION_FAILED', 'ROWFERRY_KAFKA_REFUSED'],
    ['INVALID_REPLICATION_FACTOR', 'ROWFERRY_KAFKA_REFUSED'],
    ['INVALID_SESSION_TIMEOUT', 'ROWFERRY_KAFKA_REFUSED'],
    ['KAFKAJS_UNKNOWN_ERROR_CODE', 'ROWFERRY_KAFKA_REFUSED'],
  ])('%s becomes %s, also within retry errors', (type, code) => {
    expect(kafkaError(protocolError(type), 'sending').code).toBe(code);
    expect(kafkaError(exhausted(protocolError(type)), 'sending').code).toBe(code);
  });

  test.each([
    ['ECONNREFUSED', 'ROWFERRY_KAFKA_LINK'],
    ['ECONNRESET', 'ROWFERRY_KAFKA_LINK'],
    ['ENOTFOUND', 'ROWFERRY_KAFKA_LINK'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'ROWFERRY_KAFKA_REFUSED'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'ROWFERRY_KAFKA_REFUSED'],
    ['CERT_HAS_EXPIRED', 'ROWFERRY_KAFKA_REFUSED'],
  ])('a connection that fails with %s becomes %s', (errno, expected) => {
    const error = new kafkajs.KafkaJSConnectionError('text', { broker: 'b:1', code: errno });
    expect(kafkaError(error, 'reaching Kafka')).toMatchObject({
      code: expected,
      message: `reaching Kafka: ${errno}`,
    });
  });

  test('a TypeError inside kafkajs is cured by a new client', () => {
    expect(kafkaError(new TypeError('seedBroker'), 'sending').action).toBe('retry');
  });

  test('an error of rowferry keeps its code and learns its place', () => {
    const own = new RowferryError('ROWFERRY_KAFKA_TOPIC_GONE', 'gone');
    expect(kafkaError(own, 'sending', { topic: 't' })).toMatchObject({
      code: own.code,
      where: { topic: 't' },
    });
  });

  test('refusals carry a hint for the operator', () => {
    expect(kafkaError(protocolError('GROUP_AUTHORIZATION_FAILED'), 'x').hint).toMatch(/grant .* READ/);
    expect(kafkaError(protocolError('MESSAGE_TOO_LARGE'), 'x').hint).toMatch(/max\.message\.bytes/);
  });

  test('a failed SASL exchange is doubtful, a refusal by the broker is not', () => {
    expect(isDoubtful(kafkaError(named('KafkaJSSASLAuthenticationError'), 'x'))).toBe(true);
    expect(isDoubtful(kafkaError(protocolError('TOPIC_AUTHORIZATION_FAILED'), 'x'))).toBe(false);
  });

  test('faults tell unknown topics and too large records apart from the rest', () => {
    expect(isTopicUnknown(faultOf(exhausted(protocolError('UNKNOWN_TOPIC_OR_PARTITION', true))))).toBe(true);
    expect(isTopicUnknown(faultOf(named('KafkaJSMetadataNotLoaded')))).toBe(true);
    expect(isTopicUnknown(faultOf(protocolError('LEADER_NOT_AVAILABLE')))).toBe(false);
    expect(isTooLarge(faultOf(protocolError('MESSAGE_TOO_LARGE')))).toBe(true);
    expect(faultOf('not an error')).toMatchObject({ name: 'unknown', retriable: false });
  });

  test('a broker that hangs up is retried, with a hint at what it may want', () => {
    const error = kafkaError(named('KafkaJSConnectionClosedError'), 'x');
    expect(error).toMatchObject({
      code: 'ROWFERRY_KAFKA_LINK',
      hint: expect.stringMatching(/kafka\.sasl/) as string,
    });
  });

  test('an error that is its own cause ends the search', () => {
    const error = new Error('loop');
    error.cause = error;
    expect(kafkaError(error, 'x').code).toBe('ROWFERRY_KAFKA_LINK');
  });
});

describe('what Kafka refuses to a link that it served before', () => {
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const linkOf = (...worked: readonly string[]): KafkaLink => {
    const link = new KafkaLink({ clientId: 'c', brokers: [], tls: null, sasl: null, log });
    for (const doing of worked) link.worked(doing);
    return link;
  };
  const expired = Object.assign(named('KafkaJSConnectionError'), { code: 'CERT_HAS_EXPIRED' });

  test.each<[string, Error, readonly string[], string]>([
    ['a login at the start', named('KafkaJSSASLAuthenticationError'), [], 'stop'],
    ['a login later', named('KafkaJSSASLAuthenticationError'), ['reaching Kafka'], 'retry'],
    ['a login later, by its code', protocolError('SASL_AUTHENTICATION_FAILED'), ['reaching Kafka'], 'retry'],
    ['a certificate at the start', expired, [], 'stop'],
    ['a certificate that ran out', expired, ['reaching Kafka'], 'retry'],
    ['what was never granted', protocolError('TOPIC_AUTHORIZATION_FAILED'), ['reaching Kafka'], 'stop'],
    ['what was granted before', protocolError('TOPIC_AUTHORIZATION_FAILED'), ['sending'], 'retry'],
    ['a setting', protocolError('INVALID_CONFIG'), ['reaching Kafka', 'sending'], 'stop'],
  ])('%s', (_, thrown, worked, action) => {
    const error = linkOf(...worked).error(exhausted(thrown), 'sending');
    expect(error.code).toBe('ROWFERRY_KAFKA_REFUSED');
    expect(error.action).toBe(action);
    expect(error.at({ topic: 't' }).action).toBe(action);
  });

  test('where several things were needed, each of them had to be done before', () => {
    const link = linkOf('sending records to a');
    const actionOf = (...needed: readonly string[]): string =>
      link.error(exhausted(protocolError('TOPIC_AUTHORIZATION_FAILED')), 'sending records', {}, needed)
        .action;
    expect(actionOf('sending records to a')).toBe('retry');
    expect(actionOf('sending records to a', 'sending records to b')).toBe('stop');
  });
});

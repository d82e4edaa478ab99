/** Options of a source whose rows Debezium brings: nothing is captured, its topics are read as they are. */
import { z } from 'zod';
import { parseSourceType } from '../model/values.ts';
import { option, text } from './option-kinds.ts';
import { parseTopicPattern } from './topic-pattern.ts';

const topicPattern = option({ type: 'topic name', json: { type: 'string', minLength: 1 } }, (value) => {
  const pattern = typeof value === 'string' ? parseTopicPattern(value) : { wrong: 'text' };
  return 'wrong' in pattern ? { wrong: `must be ${pattern.wrong}` } : { value: pattern.value.text };
});

const columnType = option({ type: 'MySQL type', json: { type: 'string', minLength: 1 } }, (value) => {
  const known = typeof value === 'string' && /^[a-z]+(?:\([\d,]+\))?(?: unsigned)?$/.test(value);
  return known && parseSourceType(value) !== undefined
    ? { value }
    : {
        wrong:
          'must be a MySQL type such as `bigint unsigned`, `decimal(10,2)`, `datetime(6)`, `varbinary`, `enum`',
      };
});

const debezium = z.strictObject({
  topics: z
    .array(topicPattern)
    .min(1)
    .describe(
      'Topics that Debezium’s MySQL or MariaDB connector writes, one a table: names, or regular expressions between slashes for whole names.',
    ),
  types: z
    .record(
      text({ pattern: /^[^.\s]+\.[^.\s]+$/, what: '`schema.table`' }),
      z.record(
        z.string(),
        columnType.describe(
          'Type of a column (`types.<schema.table>.<column>`): of all columns when records carry no schema, else of those that the schema does not tell.',
        ),
      ),
    )
    .default({}),
  decimalHandlingMode: z
    .enum(['precise', 'string'])
    .default('precise')
    .describe('As in the connector; needed only when records carry no schema.'),
  bigintUnsignedHandlingMode: z
    .enum(['long', 'precise'])
    .default('long')
    .describe('As in the connector; needed only when records carry no schema.'),
  timePrecisionMode: z
    .enum(['adaptive_time_microseconds', 'adaptive', 'connect', 'microseconds', 'nanoseconds', 'isostring'])
    .default('adaptive_time_microseconds')
    .describe('As in the connector; needed only when records carry no schema.'),
  binaryHandlingMode: z
    .enum(['bytes', 'base64', 'base64-url-safe', 'hex'])
    .default('bytes')
    .describe(
      'As in the connector; for columns whose type is told by `types` or propagated by the connector.',
    ),
});

export const debeziumSourceOptions = z.strictObject({
  debezium: debezium.describe('Rows come from topics that Debezium writes, not from a server.'),
});

export type DebeziumSourceOptions = z.output<typeof debeziumSourceOptions>;

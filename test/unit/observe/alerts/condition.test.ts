import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelsOf, parseCondition } from '../../../../src/observe/alerts/condition.ts';
import type { Condition } from '../../../../src/observe/alerts/condition.ts';
import { evaluate } from '../../../../src/observe/alerts/evaluate.ts';
import { formatQuantity, parseQuantity } from '../../../../src/observe/alerts/quantity.ts';
import { condition, samples } from './rules.ts';

function limitOf(text: string): number {
  const read = condition(text);
  if (read.kind !== 'compare') throw new Error('no comparison');
  return read.limit;
}

function mistakeIn(text: string): string {
  const read = parseCondition(text);
  return 'wrong' in read ? `${read.at}: ${read.wrong}` : 'none';
}

/** Labels of what is true, and of what is not known, with a question mark. */
function answers(text: string, given: Parameters<typeof samples>[0]): string[] {
  return [...evaluate(condition(text), samples(given)).values()]
    .filter(({ truth }) => truth !== false)
    .map(({ labels, truth }) => `${Object.values(labels).join('/')}${truth === null ? '?' : ''}`);
}

describe('units', () => {
  it.each([
    ['progress_speed < 1000 records/minute', 1000 / 60],
    ['no_progress_for > 5 minutes', 300],
    ['no_progress_for > 5 min', 300],
    ['lag_seconds > 60s', 60],
    ['lag_seconds > 1500 ms', 1.5],
    ['lag_seconds > 0.1 h', 360],
    ['queue_fill > 0.1%', 0.001],
    ['queue_fill > 0.7 %', 0.007],
    ['held_tables > 0', 0],
    ['held_tables > 10 rows', 10],
    ['lag_seconds > 0', 0],
  ])('%s', (text, limit) => {
    expect(limitOf(text)).toBe(limit);
  });

  it('every decimal percentage equals the quotient that a person would call the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), (thousandths) => {
        const text = `${Math.floor(thousandths / 1000)}.${String(thousandths % 1000).padStart(3, '0')}`;
        expect(parseQuantity(`${text}%`, 'share')).toEqual({ value: thousandths / 100_000 });
        expect(parseQuantity(`${thousandths} ms`, 'duration')).toEqual({ value: thousandths / 1000 });
      }),
    );
  });

  it('shows values as people say them', () => {
    expect(formatQuantity(61, 'duration')).toBe('61 s');
    expect(formatQuantity(0.05, 'duration')).toBe('50 ms');
    expect(formatQuantity(300, 'duration')).toBe('5 min');
    expect(formatQuantity(209.76, 'duration')).toBe('3 min 30 s');
    expect(formatQuantity(7_500, 'duration')).toBe('2 h 5 min');
    expect(formatQuantity(3 * 86_400 + 59, 'duration')).toBe('3 d');
    expect(formatQuantity(0.0011, 'share')).toBe('0.11 %');
    expect(formatQuantity(15, 'rate')).toBe('900 records/min');
    expect(formatQuantity(12_345, 'count')).toBe('12,345');
    expect(formatQuantity(0, 'bytes')).toBe('0 B');
    expect(formatQuantity(3 * 2 ** 20, 'bytes')).toBe('3 MiB');
  });
});

describe('mistakes name their place', () => {
  it.each([
    ['lagg_seconds > 60 s', '0: lagg_seconds is no metric; did you mean lag_seconds?'],
    ['lag_seconds > 60', '14: 60 needs a unit: ms, s, min, h, d'],
    [
      'lag_seconds > 60 parsecs',
      '17: parsecs is no unit; known are ms, s, min, h, d, %, B, kB, MB, GB, KiB, MiB, GiB, records/s, records/min, records/h',
    ],
    ['lag_seconds > 60 %', '17: % does not fit here, where ms, s, min, h, d is meant'],
    ['held_tables > 1 s', '16: s does not fit here, where a plain number is meant'],
    [
      'progress_speed < 5 records',
      '19: records does not fit here, where records/s, records/min, records/h is meant',
    ],
    ['lag_seconds = 60 s', '12: expects one of > >= < <= == != here; write =='],
    ['lag_seconds > 60 s and', '22: expects the name of a metric here'],
    ['lag_seconds > 60 s lag_seconds > 1 s', '19: expects `and`, `or` or the end here'],
    ['(lag_seconds > 60 s', '19: expects ) here'],
    [
      'lag_seconds{table="x"} > 60 s',
      '12: table is no label of lag_seconds; it has source, topic, partition',
    ],
    ['lag_seconds{source=x} > 60 s', '19: expects a value in quotes here'],
    [
      'lag_seconds > 60 s or cpu_usage > 90%',
      '19: joins what is told by source, topic, partition and what has no labels; write two rules',
    ],
    [
      'parked_rows > 0 and capture_stopped > 0',
      '16: joins what is told by target, table, reason and what is told by source, which never meet',
    ],
    ['lag_seconds > 60 s; drop', '18: cannot be read from here on'],
    ['', '0: expects the name of a metric here'],
    [`${'('.repeat(21)}lag_seconds > 1 s${')'.repeat(21)}`, '20: is nested too deep'],
  ])('%s', (text, mistake) => {
    expect(mistakeIn(text)).toBe(mistake);
  });

  it('any text is read or refused with a place within it', () => {
    const word = fc.constantFrom(
      'lag_seconds',
      'cpu_usage',
      '>',
      '60',
      's',
      '%',
      'and',
      'or',
      '(',
      ')',
      '{',
      '}',
      '"',
      '=',
      'x',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 3 })), { maxLength: 12 }), (words) => {
        const text = words.join(' ');
        const read = parseCondition(text);
        if ('wrong' in read) expect(read.at).toBeLessThanOrEqual(text.length);
      }),
    );
  });
});

describe('answers', () => {
  const A = { source: 'a', topic: 't', partition: '0' };
  const B = { source: 'b', topic: 't', partition: '1' };

  it('limits are exact: 60 s are not more than 60 s, 61 s are', () => {
    for (const [value, truth] of [
      [60, []],
      [60.001, ['a/t/0']],
      [61, ['a/t/0']],
    ] as const) {
      expect(answers('lag_seconds > 60 s', { lag_seconds: [[A, value]] })).toEqual(truth);
    }
    expect(answers('queue_fill > 0.1%', { queue_fill: [[{ queue: 'x' }, 10 / 10_000]] })).toEqual([]);
    expect(answers('queue_fill > 0.1%', { queue_fill: [[{ queue: 'x' }, 11 / 10_000]] })).toEqual(['x']);
    expect(
      answers('progress_speed < 1000 records/minute', { progress_speed: [[{ source: 'a' }, 1000 / 60]] }),
    ).toEqual([]);
    expect(
      answers('progress_speed < 1000 records/minute', { progress_speed: [[{ source: 'a' }, 999 / 60]] }),
    ).toEqual(['a']);
  });

  it('each set of labels has its own', () => {
    expect(
      answers('lag_seconds > 60 s', {
        lag_seconds: [
          [A, 10],
          [B, 90],
        ],
      }),
    ).toEqual(['b/t/1']);
    expect(
      answers('lag_seconds{source!="b"} > 60 s', {
        lag_seconds: [
          [A, 70],
          [B, 90],
        ],
      }),
    ).toEqual(['a/t/0']);
  });

  it('and binds tighter than or', () => {
    const text = 'cpu_usage > 90% or cpu_usage > 50% and memory_usage > 50%';
    expect(answers(text, { cpu_usage: [[{}, 0.95]], memory_usage: [[{}, 0]] })).toEqual(['']);
    expect(answers(text, { cpu_usage: [[{}, 0.6]], memory_usage: [[{}, 0]] })).toEqual([]);
    expect(
      answers(text.replace('90% or', '90% or ('.trim()).concat(')'), {
        cpu_usage: [[{}, 0.6]],
        memory_usage: [[{}, 0.6]],
      }),
    ).toEqual(['']);
  });

  it('the side of `and` with more labels decides for which sets', () => {
    for (const text of [
      'lag_seconds > 60 s and capture_stopped > 0',
      'capture_stopped > 0 and lag_seconds > 60 s',
    ]) {
      expect(labelsOf(condition(text))).toEqual(['source', 'topic', 'partition']);
      const given = {
        lag_seconds: [
          [A, 90],
          [B, 90],
        ],
        capture_stopped: [
          [{ source: 'a' }, 0],
          [{ source: 'b' }, 1],
        ],
      } as const;
      expect(answers(text, given)).toEqual(['b/t/1']);
    }
  });

  it('what is not known is neither true nor false', () => {
    expect(answers('lag_seconds > 60 s', { lag_seconds: [[A, null]] })).toEqual(['a/t/0?']);
    expect(
      answers('cpu_usage > 90% and memory_usage > 90%', { cpu_usage: [[{}, null]], memory_usage: [[{}, 0]] }),
    ).toEqual([]);
    expect(
      answers('cpu_usage > 90% or memory_usage > 90%', { cpu_usage: [[{}, null]], memory_usage: [[{}, 1]] }),
    ).toEqual(['']);
    expect(answers('lag_seconds > 60 s', { lag_seconds: [[A, Number.NaN]] })).toEqual(['a/t/0?']);
    expect(answers('lag_seconds > 60 s', {})).toEqual([]);
  });

  it('what is parsed from a written condition is that condition', () => {
    const comparison = fc
      .record({ operator: fc.constantFrom('>', '>=', '<', '<=', '==', '!='), limit: fc.nat(1000) })
      .map(({ operator, limit }) => `cpu_usage ${operator} ${limit}%`);
    const text = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        comparison,
        fc
          .tuple(tie('node'), fc.constantFrom('and', 'or'), tie('node'))
          .map(([l, w, r]) => `(${l} ${w} ${r})`),
      ),
    })).node;
    const show = (one: Condition): string =>
      one.kind === 'compare'
        ? `cpu_usage ${one.operator} ${Math.round(one.limit * 100)}%`
        : `(${show(one.left)} ${one.kind} ${show(one.right)})`;
    fc.assert(
      fc.property(text, (written) => {
        expect(show(condition(written))).toBe(written);
      }),
    );
  });
});

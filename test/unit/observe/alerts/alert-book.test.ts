import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_BOOK, look } from '../../../../src/observe/alerts/alert-book.ts';
import type { AlertBook, Notice } from '../../../../src/observe/alerts/alert-book.ts';
import type { AlertRule } from '../../../../src/observe/alerts/rule.ts';
import { rule, samples } from './rules.ts';

const SETTINGS = { repeatMs: 60_000, historySize: 5 };
const MAIN = { source: 'main', topic: 'shop', partition: '0' };

/** Lag by time, one look each; `gone` for a partition that is no longer ours. */
type Step = readonly [atMs: number, lag: number | null | 'gone'];

function run(rules: AlertRule | readonly AlertRule[], steps: readonly Step[], start: AlertBook = EMPTY_BOOK) {
  let book = start;
  const told: Notice[] = [];
  for (const [atMs, lag] of steps) {
    const given = samples(lag === 'gone' ? {} : { lag_seconds: [[MAIN, lag]] });
    const next = look(book, Array.isArray(rules) ? rules : [rules as AlertRule], given, atMs, SETTINGS);
    book = next.book;
    told.push(...next.notices);
  }
  return { book, told: told.map(({ kind, atMs }) => `${atMs}: ${kind}`), notices: told };
}

const LAG = rule('lag_seconds > 60 s', {
  name: 'lag',
  forMs: 10_000,
  message: '{topic}/{partition}: {value}',
});

describe('an alert', () => {
  it('fires once its condition has held for exactly as long as it says', () => {
    expect(
      run(LAG, [
        [0, 61],
        [9_999, 61],
      ]).told,
    ).toEqual([]);
    expect(
      run(LAG, [
        [0, 61],
        [9_999, 61],
        [10_000, 61],
      ]).told,
    ).toEqual(['10000: firing']);
  });

  it('with no duration fires at the first look', () => {
    expect(run({ ...LAG, forMs: 0 }, [[5, 61]]).told).toEqual(['5: firing']);
  });

  it('begins anew when the condition was false in between', () => {
    for (const pause of [60, 'gone'] as const) {
      const steps: Step[] = [
        [0, 61],
        [9_000, 61],
        [9_500, pause],
        [10_000, 61],
        [19_999, 61],
      ];
      expect(run(LAG, steps).told).toEqual([]);
      expect(run(LAG, [...steps, [20_000, 61]]).told).toEqual(['20000: firing']);
    }
  });

  it('goes on being pending while its value is not known, and fires once it is', () => {
    const steps: Step[] = [
      [0, 61],
      [9_500, null],
      [10_500, null],
    ];
    expect(run(LAG, steps).told).toEqual([]);
    expect(run(LAG, [...steps, [11_000, 61]]).told).toEqual(['11000: firing']);
  });

  it('is one alert while its value swings round the limit, and resolved once that has been fine for as long as it says', () => {
    const calm = { ...LAG, forMs: 0, keepFiringMs: 30_000 };
    const swings = Array.from({ length: 120 }, (_, i): Step => [i * 500, i % 2 === 0 ? 61 : 60]);
    const { told, book } = run(calm, swings);
    expect(told).toEqual(['0: firing']);
    expect([...book.active.values()]).toMatchObject([{ value: 60, clearMs: 59_500 }]);
    for (const fine of [60, 'gone'] as const) {
      expect(
        run(
          calm,
          [
            [60_000, fine],
            [89_499, fine],
          ],
          book,
        ).told,
      ).toEqual([]);
      expect(
        run(
          calm,
          [
            [60_000, fine],
            [89_500, fine],
          ],
          book,
        ).told,
      ).toEqual(['89500: resolved']);
      expect(
        run(
          calm,
          [
            [89_400, fine],
            [89_600, null],
            [89_700, fine],
          ],
          book,
        ).told,
      ).toEqual(['89700: resolved']);
      expect(
        run(
          calm,
          [
            [89_400, 61],
            [89_600, fine],
            [119_599, fine],
          ],
          book,
        ).told,
      ).toEqual(['89400: repeated']);
    }
  });

  it('is resolved once, and tells its last words', () => {
    const { told, notices, book } = run(LAG, [
      [0, 61],
      [10_000, 75],
      [11_000, 60],
      [12_000, 10],
    ]);
    expect(told).toEqual(['10000: firing', '11000: resolved']);
    expect(notices[0]?.alert).toMatchObject({
      labels: MAIN,
      message: 'shop/0: 75 s',
      sinceMs: 0,
      firedMs: 10_000,
    });
    expect(book.active.size).toBe(0);
    expect(book.history.map(({ kind, atMs }) => [kind, atMs])).toEqual([
      ['fired', 10_000],
      ['resolved', 11_000],
    ]);
  });

  it('goes on while its value is not known: silence is not caught up', () => {
    const { told, book } = run(LAG, [
      [0, 61],
      [10_000, 61],
      [11_000, null],
      [12_000, null],
    ]);
    expect(told).toEqual(['10000: firing']);
    expect([...book.active.values()]).toMatchObject([{ value: null, firedMs: 10_000 }]);
    expect(run(LAG, [[13_000, 5]], book).told).toEqual(['13000: resolved']);
  });

  it('is resolved when its set of labels is gone', () => {
    expect(
      run(LAG, [
        [0, 61],
        [10_000, 61],
        [11_000, 'gone'],
      ]).told,
    ).toEqual(['10000: firing', '11000: resolved']);
  });

  it('is resolved when its rule is gone', () => {
    const { book } = run(LAG, [
      [0, 61],
      [10_000, 61],
    ]);
    expect(run([], [[11_000, 61]], book).told).toEqual(['11000: resolved']);
  });

  it('is told again after each repeat interval, exactly', () => {
    const steps: Step[] = [
      [0, 61],
      [10_000, 61],
      [69_999, 61],
      [70_000, 61],
      [70_001, 61],
      [130_000, 61],
    ];
    expect(run(LAG, steps).told).toEqual(['10000: firing', '70000: repeated', '130000: repeated']);
  });

  it('does not wait for a clock that was set back', () => {
    expect(
      run(LAG, [
        [1_000_000, 61],
        [0, 61],
        [9_999, 61],
      ]).told,
    ).toEqual([]);
    expect(
      run(LAG, [
        [1_000_000, 61],
        [0, 61],
        [10_000, 61],
      ]).told,
    ).toEqual(['10000: firing']);
    const { book } = run(LAG, [
      [0, 61],
      [1_000_000, 61],
    ]);
    expect(
      run(
        LAG,
        [
          [10, 61],
          [60_010, 61],
        ],
        book,
      ).told,
    ).toEqual(['60010: repeated']);
  });
});

describe('a silence', () => {
  const silenced = (
    rule: string | null,
    labels: Record<string, string> = {},
    untilMs = 30_000,
  ): AlertBook => ({
    ...EMPTY_BOOK,
    silences: [{ id: 1, rule, labels, untilMs, reason: 'planned' }],
  });

  it('keeps an alert quiet until it ends; what still fires is told then', () => {
    const { told, book } = run(
      LAG,
      [
        [0, 61],
        [10_000, 61],
        [29_999, 61],
        [30_000, 61],
      ],
      silenced('lag'),
    );
    expect(told).toEqual(['30000: firing']);
    expect(book.silences).toEqual([]);
    expect(book.history).toMatchObject([{ kind: 'fired', atMs: 10_000, isSilenced: true }]);
  });

  it('an alert that nobody was told of is not told as resolved', () => {
    expect(
      run(
        LAG,
        [
          [0, 61],
          [10_000, 61],
          [11_000, 0],
        ],
        silenced('lag'),
      ).told,
    ).toEqual([]);
  });

  it('an alert that somebody was told of is told as resolved also during a silence', () => {
    const { book } = run(LAG, [
      [0, 61],
      [10_000, 61],
    ]);
    const quiet = { ...book, silences: silenced(null, {}, 999_999).silences };
    expect(
      run(
        LAG,
        [
          [80_000, 61],
          [90_000, 0],
        ],
        quiet,
      ).told,
    ).toEqual(['90000: resolved']);
  });

  it('covers the alerts that carry its labels, of its rule', () => {
    const steps: Step[] = [
      [0, 61],
      [10_000, 61],
    ];
    expect(run(LAG, steps, silenced(null, { source: 'main' })).told).toEqual([]);
    expect(run(LAG, steps, silenced('lag', { source: 'other' })).told).toEqual(['10000: firing']);
    expect(run(LAG, steps, silenced('another')).told).toEqual(['10000: firing']);
  });
});

describe('whatever is measured', () => {
  const step = fc.tuple(
    fc.integer({ min: 1, max: 9_000 }),
    fc.constantFrom<Step[1]>(0, 60, 61, 500, null, 'gone'),
  );
  const steps = fc.array(step, { maxLength: 60 }).map((list): Step[] => {
    let atMs = 0;
    return list.map(([wait, lag]) => [(atMs += wait), lag]);
  });

  it('nobody is told of an alert before it was true for its duration, and never false in it', () => {
    fc.assert(
      fc.property(steps, (list) => {
        for (const { kind, atMs, alert } of run(LAG, list).notices) {
          if (kind !== 'firing') continue;
          const stretch = list.filter(([at]) => at >= alert.sinceMs && at <= atMs);
          expect(atMs - alert.sinceMs).toBeGreaterThanOrEqual(10_000);
          expect(stretch.every(([, lag]) => lag === null || (lag !== 'gone' && lag > 60))).toBe(true);
          expect(stretch.at(-1)?.[1]).toBeGreaterThan(60);
        }
      }),
    );
  });

  it('an alert that has been true for its duration is on', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const { book } = run(LAG, list);
        const broken = list.findLastIndex(([, lag]) => typeof lag !== 'number' || lag <= 60);
        const stretch = list.slice(broken + 1);
        const first = stretch[0]?.[0];
        if (first === undefined || stretch.at(-1)![0] - first < 10_000) return;
        expect([...book.active.values()].some(({ firedMs }) => firedMs !== null)).toBe(true);
      }),
    );
  });

  it('it fires and is resolved in turns, and never without a change of the value', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const kinds = run(LAG, list).notices.filter(({ kind }) => kind !== 'repeated');
        kinds.forEach(({ kind }, i) => expect(kind).toBe(i % 2 === 0 ? 'firing' : 'resolved'));
        const steady = run(
          LAG,
          list.map(([at]): Step => [at, 61]),
        ).notices;
        expect(steady.filter(({ kind }) => kind !== 'repeated').length).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('the history stays as short as it may be', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const { book } = run({ ...LAG, forMs: 0 }, list);
        expect(book.history.length).toBeLessThanOrEqual(SETTINGS.historySize);
        expect(book.history.map(({ atMs }) => atMs)).toEqual(
          book.history.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
        );
      }),
    );
  });
});

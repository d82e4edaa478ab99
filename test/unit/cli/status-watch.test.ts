import { expect, it } from 'vitest';
import { statusCommand } from '../../../src/cli/status.ts';
import { fileWith, ordersConfig, runVerb } from '../../support/run-verb.ts';

it('draws over the other screen of a terminal, follows its size, and leaves it as it was', async () => {
  const file = fileWith(`${ordersConfig(4)}runDir: here\n`);
  const stop = new AbortController();
  let columns = 80;
  let looks = 0;
  const terminal = {
    get columns() {
      // A window that is made smaller after the first look, and closed after the third.
      looks += 1;
      if (looks === 2) columns = 20;
      if (looks === 3) stop.abort();
      return columns;
    },
    rows: 24,
    isInteractive: true,
    unicode: false,
  };
  const { lines } = await runVerb(statusCommand, ['--config', file, '--watch'], {
    signal: stop.signal,
    terminal,
  });
  expect(lines).toHaveLength(4);
  const [first = '', second = '', third = '', last = ''] = lines;
  expect(first.startsWith('\u001b[?1049h\u001b[?25l')).toBe(true);
  expect(first).toContain('-'.repeat(80));
  expect(second.startsWith('\u001b[2J')).toBe(true);
  expect(second).not.toContain('-'.repeat(21));
  expect(third.startsWith('\u001b[H')).toBe(true);
  expect(last).toBe('\u001b[?25h\u001b[?1049l');
});

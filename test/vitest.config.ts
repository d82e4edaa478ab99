import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** What takes long and changes rarely: left to `npm run test:all`. */
const LONG = [
  ...[
    'access-outages',
    'doubling',
    'lag-heartbeat',
    'semi-sync',
    'server-restarts',
    'start-outages',
    'stuck-thread',
  ].map(fileOf),
  'test/integration/heartbeat-row.int.test.ts',
];
const left = process.env['ROWFERRY_TEST_ALL'] === undefined ? LONG : [];

const serverTests = { globalSetup: 'test/support/global-setup.ts', hookTimeout: 60_000 };

/** These hold what is told against a clock: nothing else may take the processor meanwhile, or write to their sources. */
const TIMED = ['alerts', 'lag', 'lag-heartbeat'].map(fileOf);
/** It starts many processes, and holds them against a clock. */
const CROWD = ['two-of-everything'].map(fileOf);

function fileOf(name: string): string {
  return `test/e2e/${name}.e2e.test.ts`;
}

// For two cores. Loading a file's modules costs more than most of its tests: where they are many they are loaded once a worker
// (`isolate: false`). What works for itself goes together with what mostly waits for servers; then the pipelines, then those that are
// held against a clock.
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    pool: 'forks',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 30_000,
          maxWorkers: 3,
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          testTimeout: 30_000,
          maxWorkers: 3,
          isolate: false,
          sequence: { groupOrder: 0 },
          ...serverTests,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.int.test.ts'],
          exclude: left,
          testTimeout: 30_000,
          maxWorkers: 3,
          isolate: false,
          sequence: { groupOrder: 0 },
          ...serverTests,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.e2e.test.ts'],
          exclude: [...TIMED, ...CROWD, ...left],
          testTimeout: 180_000,
          // Each pipeline has databases and topics of its own, and mostly waits.
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
          ...serverTests,
        },
      },
      {
        test: {
          name: 'e2e-timed',
          include: TIMED,
          exclude: left,
          testTimeout: 180_000,
          // They mostly wait, each at a source of its own.
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
          ...serverTests,
        },
      },
      {
        test: {
          name: 'e2e-crowd',
          include: CROWD,
          testTimeout: 180_000,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          ...serverTests,
        },
      },
    ],
  },
});

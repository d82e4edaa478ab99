import type { Log } from '../model/log.ts';

/** For verbs that print their own answer: what goes wrong reaches the user as the error that is thrown. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Routes and tables that do not fit, gathered so that all of them are told at once. */
import { RowferryError } from '../errors.ts';

export class Unfit {
  readonly #errors: RowferryError[] = [];

  /** What `work` answers; undefined when something in it does not fit. Any other error is thrown. */
  gather<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.add(error);
      return undefined;
    }
  }

  add(error: unknown): void {
    const isUnfit =
      error instanceof RowferryError &&
      (error.code === 'ROWFERRY_ROUTE_COLUMNS' || error.code === 'ROWFERRY_CONFIG_INVALID');
    if (!isUnfit) throw error;
    this.#errors.push(error);
  }

  /** Throws what was gathered: the one error as it is, several as one with a line for each. */
  refuse(): void {
    const [first] = this.#errors;
    if (first === undefined) return;
    const messages = [...new Set(this.#errors.flatMap(({ message }) => message.split('\n')))];
    if (messages.length === 1) throw first;
    const hints = [...new Set(this.#errors.flatMap(({ hint }) => hint ?? []))];
    throw new RowferryError(first.code, messages.join('\n'), { hint: hints.join('; ') });
  }
}

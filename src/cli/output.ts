/** Where a verb writes: results to `out`, everything else to `err`; handed in so that nothing below main touches the process. */
export interface Output {
  out(line: string): void;
  err(line: string): void;
}

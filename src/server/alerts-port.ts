/** Where the API gets its alerts from. */
export interface ShownAlert {
  readonly rule: string;
  readonly level: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly message: string;
  readonly value: number | null;
  /** When its condition became true. */
  readonly sinceMs: number;
  /** When it fired; null while it is pending. */
  readonly firedMs: number | null;
}

export interface AlertsPort {
  current(): readonly ShownAlert[];
}

/** Nobody watches. */
export const NO_ALERTS: AlertsPort = { current: () => [] };

/** What a check has come to: a row of the table. */
export interface Row {
  readonly what: string;
  /** What was done, by what it is called, in the order in which it is to be shown. */
  readonly figures: Readonly<Record<string, number | string>>;
  readonly failures: readonly string[];
  /** Why it did not run. */
  readonly skipped?: string;
}

export interface CheckOptions {
  readonly count: number;
  readonly seed: number;
  /** The program to compare with. */
  readonly reference: string;
  /** Told of each failure as it is found, and how far it is now and then. */
  readonly say: (text: string) => void;
}

/** A long check; a section of the report. */
export interface Check {
  readonly name: string;
  readonly about: string;
  readonly count: number;
  run(options: CheckOptions): Promise<readonly Row[]>;
}

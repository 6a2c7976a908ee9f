// Results of a run, as lines for people and as records for docs/conformance.md.

export type Status = "pass" | "fail" | "not-applicable";

export interface CaseRecord {
  readonly suite: string;
  readonly name: string;
  readonly status: Status;
  /** Why it failed, or does not apply. */
  readonly reason?: string | undefined;
  readonly seconds: number;
  /** It failed at first. */
  readonly retried?: boolean | undefined;
  readonly command?: string | undefined;
  readonly output?: string | undefined;
}

export interface RunRecord {
  /** As uname -r tells it. */
  readonly kernel: string;
  /** What was asked for: live, 6.1, ... */
  readonly where: string;
  readonly program: string;
  readonly day: string;
}

/** The first line of a record file is the run, each of the others a case. */
export interface Report {
  readonly run: RunRecord;
  readonly cases: readonly CaseRecord[];
}

const words: Readonly<Record<Status, string>> = { pass: "pass", fail: "FAIL", "not-applicable": "n/a " };

/** One line. */
export function caseLine({ suite, name, status, reason, seconds, retried }: CaseRecord): string {
  const why = reason === undefined ? "" : `: ${reason.split("\n")[0]}`;
  return `${words[status]} ${suite}.${name} (${seconds.toFixed(1)} s${retried === true ? ", at the second try" : ""})${why}`;
}

export interface Score {
  readonly suite: string;
  readonly pass: number;
  readonly fail: number;
  readonly notApplicable: number;
}

/** One for each suite, in the order of their names. */
export function scores(cases: readonly CaseRecord[]): Score[] {
  const suites = [...new Set(cases.map(({ suite }) => suite))].sort();
  return suites.map((suite) =>
    score(
      suite,
      cases.filter((record) => record.suite === suite),
    ),
  );
}

export function score(suite: string, cases: readonly CaseRecord[]): Score {
  const count = (status: Status): number => cases.filter((record) => record.status === status).length;
  return { suite, pass: count("pass"), fail: count("fail"), notApplicable: count("not-applicable") };
}

/** Of those that apply. */
export function percent({ pass, fail }: Score): string {
  return pass + fail === 0 ? "-" : `${((100 * pass) / (pass + fail)).toFixed(1)}%`;
}

export function scoreTable(cases: readonly CaseRecord[]): string {
  const all = [...scores(cases), score("all", cases)];
  const width = Math.max(...all.map(({ suite }) => suite.length));
  const row = (suite: string, ...cells: readonly string[]): string =>
    `${suite.padEnd(width)}${cells.map((cell) => cell.padStart(8)).join("")}\n`;
  return (
    row("suite", "pass", "fail", "n/a", "of them") +
    all
      .map((line) => row(line.suite, ...[line.pass, line.fail, line.notApplicable].map(String), percent(line)))
      .join("")
  );
}

export function parseReport(text: string): Report {
  const [first = "{}", ...rest] = text.trim().split("\n");
  return { run: JSON.parse(first) as RunRecord, cases: rest.map((line) => JSON.parse(line) as CaseRecord) };
}

export function printReport({ run, cases }: Report): string {
  return [run, ...cases].map((record) => `${JSON.stringify(record)}\n`).join("");
}

/** One report a kernel: where several are of one, what a later one has of a case stands for what the earlier ones had. */
export function mergeReports(reports: readonly Report[]): Report[] {
  const merged = new Map<string, Report>();
  const nameOf = ({ suite, name }: CaseRecord): string => `${suite}.${name}`;
  for (const report of reports) {
    const earlier = merged.get(report.run.where);
    // Two cases may share a name: they are run together.
    const again = new Set(report.cases.map(nameOf));
    const kept = earlier?.cases.filter((record) => !again.has(nameOf(record))) ?? [];
    const cases = [...kept, ...report.cases].sort((a, b) =>
      nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0,
    );
    merged.set(report.run.where, { run: report.run, cases });
  }
  return [...merged.values()];
}

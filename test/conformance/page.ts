// docs/conformance.md, made of the results that runs have written with --out.
import { type CaseRecord, percent, type Report, score, scores } from "./report.js";

/** Why a case fails though it applies, in the words of somebody who has looked. */
export type Reasons = Readonly<Record<string, string>>;

export interface PageOptions {
  readonly reports: readonly Report[];
  readonly reasons: Reasons;
  /** The suites that must pass, see docs: a score of their own. */
  readonly required: ReadonlySet<string>;
  /** The page as it was: its sections on machines that the results say nothing of stay. */
  readonly before?: string | undefined;
}

export function conformancePage({ reports, reasons, required, before = "" }: PageOptions): string {
  const first = reports[0];
  if (first === undefined) throw new Error("no results to write a page of");
  return [
    "# Conformance",
    "",
    "The score on bpftrace's own runtime suite (`tests/runtime` and `tests/self` of its repository), as",
    "`npm run conformance -- --suite DIR` measures it; `DIR` is `tests/` of a built tree of bpftrace, which this project",
    "neither has nor builds. A case that fails runs once more, alone. It does not apply if the kernel lacks what it needs, or",
    "if it asks for what only the other program is: its name, its version, its LLVM code, its ahead-of-time mode.",
    "",
    "The language's suites are those that say nothing of a probe type; a section without them is of a kernel on which only the",
    "others were run. Where a run was followed by one of some cases, after a change, each case has its last result.",
    "",
    "This page is generated: `npm run conformance -- --page docs/conformance.md RESULTS...` with files that `--out` wrote;",
    "sections of kernels that these say nothing of stay as they were, with their day.",
    "",
    ...reports.flatMap((report) => section(report, reasons, required)),
    ...otherSections(before, new Set(reports.map(({ run }) => run.where))),
  ].join("\n");
}

const heading = ({ where, kernel }: Report["run"]): string =>
  where === "live" ? `## Linux ${kernel}` : `## Linux ${kernel} (${where}, in a virtual machine)`;

function otherSections(page: string, known: ReadonlySet<string>): string[] {
  const sections = page.split(/^(?=## )/m).slice(1);
  return sections.flatMap((text) => {
    const where = /^## .*\((.*), in a virtual machine\)$/m.exec(text)?.[1] ?? "live";
    return known.has(where) ? [] : text.split("\n");
  });
}

function section({ run, cases }: Report, reasons: Reasons, required: ReadonlySet<string>): string[] {
  const wanted = cases.filter(({ suite }) => required.has(suite));
  // Of dwunwind, which is about stacks, each case counts.
  const others = cases.filter(({ suite }) => !required.has(suite) && suite !== "dwunwind");
  const row = (name: string, records: readonly CaseRecord[]): string => {
    const line = score(name, records);
    return `| ${name} | ${line.pass} | ${line.fail} | ${line.notApplicable} | ${percent(line)} |`;
  };
  const failed = cases.filter(({ status }) => status === "fail");
  return [
    heading(run),
    "",
    `${run.program}, ${run.day}.`,
    "",
    "| suite | pass | fail | n/a | of those that apply |",
    "| --- | ---: | ---: | ---: | ---: |",
    ...scores(cases).map(({ suite }) =>
      row(
        suite,
        cases.filter((record) => record.suite === suite),
      ),
    ),
    ...(wanted.length === 0 ? [] : [row("**the language's suites**", wanted)]),
    ...(others.length === 0 ? [] : [row("**the suites of probes**", others)]),
    row("**all**", cases),
    "",
    ...list(
      "Cases that fail",
      failed,
      (record) => reasons[`${record.suite}.${record.name}`] ?? shorten(record.reason ?? ""),
    ),
    ...list(
      "Cases that do not apply",
      cases.filter(({ status }) => status === "not-applicable"),
      (record) => record.reason ?? "",
    ),
  ];
}

/** One line for each reason, with the cases that share it. */
function list(title: string, records: readonly CaseRecord[], reasonOf: (record: CaseRecord) => string): string[] {
  if (records.length === 0) return [];
  const byReason = new Map<string, string[]>();
  for (const record of records) {
    const reason = reasonOf(record);
    byReason.set(reason, [...(byReason.get(reason) ?? []), `${record.suite}.${record.name}`]);
  }
  const lines = [...byReason].map(([reason, names]) => `- ${escapeText(reason)}: ${names.map(code).join(", ")}`);
  return [`### ${title}`, "", ...lines, ""];
}

const longest = 200;

/** The machine's own words, where nobody has written better ones. */
function shorten(reason: string): string {
  const line = reason.replaceAll(/\s+/g, " ");
  return line.length > longest ? `${line.slice(0, longest)}...` : line;
}

const escapeText = (text: string): string => text.replaceAll(/[\\`*_<>|[\]]/g, "\\$&");
const code = (text: string): string => `\`${text.replaceAll("`", "'")}\``;

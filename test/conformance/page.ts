// docs/conformance.md, made of the results that runs have written with --out.
import { type CaseRecord, percent, type Report, type Score, scores } from "./report.js";

/** Why a case fails though it applies, in the words of somebody who has looked. */
export type Reasons = Readonly<Record<string, string>>;

export interface PageOptions {
  readonly reports: readonly Report[];
  readonly reasons: Reasons;
  /** The suites that must pass, see docs: a score of their own. */
  readonly required: ReadonlySet<string>;
  /** The page as it was: what the results say nothing of stays. */
  readonly before?: string | undefined;
}

export function conformancePage({ reports, reasons, required, before = "" }: PageOptions): string {
  if (reports.length === 0) throw new Error("no results to write a page of");
  const earlier = parseSections(before);
  const now = reports.map((report) => {
    const section = sectionOf(report, reasons);
    const old = earlier.find(({ where }) => where === section.where);
    return old === undefined ? section : withOtherSuites(section, old);
  });
  const others = earlier.filter(({ where }) => !now.some((section) => section.where === where));
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
    "This page is generated: `npm run conformance -- --page docs/conformance.md RESULTS...` with files that `--out` wrote. Suites",
    "and kernels that these say nothing of stay as they were, with their day.",
    "",
    ...[...now, ...others].flatMap((section) => print(section, required)),
  ].join("\n");
}

/** What the page has of one machine; texts are as they stand there. */
interface Section {
  readonly heading: string;
  readonly where: string;
  readonly program: string;
  readonly rows: readonly Row[];
  readonly lists: Readonly<Record<Title, readonly Group[]>>;
}

interface Row extends Score {
  readonly day: string;
}

/** Cases, as `suite.name`, that share a reason. */
interface Group {
  readonly reason: string;
  readonly names: readonly string[];
}

const titles = { fail: "Cases that fail", notApplicable: "Cases that do not apply" } as const;
type Title = keyof typeof titles;

function sectionOf({ run, cases }: Report, reasons: Reasons): Section {
  const { where, kernel, program, day } = run;
  return {
    heading: where === "live" ? `Linux ${kernel}` : `Linux ${kernel} (${where}, in a virtual machine)`,
    where,
    program: `${program}, ${day}.`,
    rows: scores(cases).map((row) => ({ ...row, day })),
    lists: {
      fail: groups(
        cases.filter(({ status }) => status === "fail"),
        ({ suite, name, reason = "" }) => reasons[`${suite}.${name}`] ?? shorten(reason),
      ),
      notApplicable: groups(
        cases.filter(({ status }) => status === "not-applicable"),
        ({ reason = "" }) => reason,
      ),
    },
  };
}

function groups(records: readonly CaseRecord[], reasonOf: (record: CaseRecord) => string): readonly Group[] {
  const byReason = new Map<string, string[]>();
  for (const record of records) {
    const reason = escapeText(reasonOf(record));
    const name = `${record.suite}.${record.name}`.replaceAll("`", "'");
    byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
  }
  return [...byReason].map(([reason, names]) => ({ reason, names }));
}

/** With the suites of an earlier section that the new one says nothing of. */
function withOtherSuites(section: Section, old: Section): Section {
  const measured = new Set(section.rows.map(({ suite }) => suite));
  const isOther = (name: string): boolean => !measured.has(name.slice(0, name.indexOf(".")));
  const merged = (title: Title): readonly Group[] => {
    const all = new Map(section.lists[title].map(({ reason, names }) => [reason, names] as const));
    for (const { reason, names } of old.lists[title]) {
      const others = names.filter(isOther);
      if (others.length > 0) all.set(reason, [...(all.get(reason) ?? []), ...others].sort());
    }
    return [...all].map(([reason, names]) => ({ reason, names }));
  };
  const rows = [...section.rows, ...old.rows.filter(({ suite }) => !measured.has(suite))];
  return {
    ...section,
    rows: rows.sort((a, b) => (a.suite < b.suite ? -1 : 1)),
    lists: { fail: merged("fail"), notApplicable: merged("notApplicable") },
  };
}

const tableHead = [
  "| suite | pass | fail | n/a | of those that apply | day |",
  "| --- | ---: | ---: | ---: | ---: | --- |",
];

function print({ heading, program, rows, lists }: Section, required: ReadonlySet<string>): readonly string[] {
  const line = (name: string, score: Score, day: string): string =>
    `| ${name} | ${score.pass} | ${score.fail} | ${score.notApplicable} | ${percent(score)} | ${day} |`;
  const sum = (name: string, some: readonly Row[]): readonly string[] =>
    some.length === 0 ? [] : [line(`**${name}**`, total(some), "")];
  return [
    `## ${heading}`,
    "",
    program,
    "",
    ...tableHead,
    ...rows.map((row) => line(row.suite, row, row.day)),
    ...sum(
      "the language's suites",
      rows.filter(({ suite }) => required.has(suite)),
    ),
    // Of dwunwind, which is about stacks, each case counts.
    ...sum(
      "the suites of probes",
      rows.filter(({ suite }) => !required.has(suite) && suite !== "dwunwind"),
    ),
    ...sum("all", rows),
    "",
    ...(["fail", "notApplicable"] as const).flatMap((title) => printList(titles[title], lists[title])),
  ];
}

const total = (rows: readonly Score[]): Score => ({
  suite: "",
  pass: rows.reduce((sum, { pass }) => sum + pass, 0),
  fail: rows.reduce((sum, { fail }) => sum + fail, 0),
  notApplicable: rows.reduce((sum, { notApplicable }) => sum + notApplicable, 0),
});

const printList = (title: string, list: readonly Group[]): readonly string[] =>
  list.length === 0
    ? []
    : [
        `### ${title}`,
        "",
        ...list.map(({ reason, names }) => `- ${reason}: ${names.map((name) => `\`${name}\``).join(", ")}`),
        "",
      ];

/** The sections of a page; those before 2026-11-29 had one day for all their suites. */
function parseSections(page: string): readonly Section[] {
  return page
    .split(/^## /m)
    .slice(1)
    .map((text) => {
      const [heading = "", , program = ""] = text.split("\n");
      const [, lists = ""] = text.split(/^(?=### )([\s\S]*)/m);
      return {
        heading,
        where: /\((.*), in a virtual machine\)$/.exec(heading)?.[1] ?? "live",
        program,
        rows: parseRows(text, / (\S+)\.$/.exec(program)?.[1] ?? ""),
        lists: { fail: parseList(lists, titles.fail), notApplicable: parseList(lists, titles.notApplicable) },
      };
    });
}

const parseRows = (text: string, day: string): readonly Row[] =>
  [...text.matchAll(/^\| ([^|*]+) \| (\d+) \| (\d+) \| (\d+) \| [^|]+ \|(?: ([^|]*) \|)?$/gm)].map(
    ([, suite = "", pass, fail, notApplicable, own]) => ({
      suite,
      pass: Number(pass),
      fail: Number(fail),
      notApplicable: Number(notApplicable),
      day: own ?? day,
    }),
  );

function parseList(text: string, title: string): readonly Group[] {
  const part = text.split(/^### /m).find((each) => each.startsWith(`${title}\n`)) ?? "";
  return [...part.matchAll(/^- (.*?): ((?:`[^`]*`(?:, )?)+)$/gm)].map(([, reason = "", names = ""]) => ({
    reason,
    names: [...names.matchAll(/`([^`]*)`/g)].map(([, name = ""]) => name),
  }));
}

const longest = 200;

/** The machine's own words, where nobody has written better ones. */
function shorten(reason: string): string {
  const line = reason.replaceAll(/\s+/g, " ");
  return line.length > longest ? `${line.slice(0, longest)}...` : line;
}

const escapeText = (text: string): string => text.replaceAll(/[\\`*_<>|[\]]/g, "\\$&");

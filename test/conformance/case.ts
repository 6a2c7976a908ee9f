// The case files of bpftrace's runtime suite: what their directives mean is told in tests/README.md of its repository, and
// in more detail by tests/runtime/engine/parser.py there.

/** How one expectation compares; `none` wants the opposite. */
export interface Expectation {
  readonly mode: "text" | "regex" | "file" | "json";
  readonly none: boolean;
  /** The text, the pattern, or the file's name. */
  readonly value: string;
}

export interface Case {
  readonly suite: string;
  readonly name: string;
  /** A command of RUN with `{{BPFTRACE}}` in it, or a script of PROG. */
  readonly run: { readonly command: string } | { readonly program: string };
  readonly expectations: readonly Expectation[];
  /** Seconds from the moment when the probes are attached. */
  readonly timeout: number;
  readonly before: readonly string[];
  readonly after: string | undefined;
  readonly setup: string | undefined;
  readonly cleanup: string | undefined;
  readonly minKernel: string | undefined;
  readonly maxKernel: string | undefined;
  /** Commands that must succeed. */
  readonly requires: readonly string[];
  /** Names of features; with `!` in front, what must be missing. */
  readonly features: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Machines, of which one must be this; with `!`, none may be. */
  readonly arch: readonly string[];
  readonly willFail: boolean;
  readonly returnCode: number;
  readonly newPidNamespace: boolean;
  readonly skipIfEnv: { readonly name: string; readonly value: string } | undefined;
  /** Of an expected file with times in it: the moment whose local time they are. */
  readonly localTime: number | undefined;
}

/** A case file that is not written as the suite's cases are. */
export class CaseError extends Error {}

/** Seconds, where a case says none. */
const defaultTimeout = 5;

const expectations = {
  EXPECT: { mode: "text", none: false },
  EXPECT_NONE: { mode: "text", none: true },
  EXPECT_REGEX: { mode: "regex", none: false },
  EXPECT_REGEX_NONE: { mode: "regex", none: true },
  EXPECT_FILE: { mode: "file", none: false },
  EXPECT_JSON: { mode: "json", none: false },
} as const satisfies Record<string, Pick<Expectation, "mode" | "none">>;

const directives = [
  ...["NAME", "RUN", "PROG", "TIMEOUT", "BEFORE", "AFTER", "SETUP", "CLEANUP", "MIN_KERNEL", "MAX_KERNEL", "REQUIRES"],
  ...["REQUIRES_FEATURE", "ENV", "ARCH", "WILL_FAIL", "RETURN_CODE", "NEW_PIDNS", "SKIP_IF_ENV_HAS"],
  ...["LOCALIZE_TIMESTAMPS", ...Object.keys(expectations)],
];

/** The only directives whose value goes on in indented lines below. */
const continued = new Set(["PROG", "EXPECT", "EXPECT_REGEX"]);

interface Line {
  readonly directive: string;
  value: string;
}

/** Reads the cases of one file: blocks of lines, with empty lines between them. Throws CaseError. */
export function parseCases(text: string, suite: string): Case[] {
  const cases: Case[] = [];
  let block: string[] = [];
  const close = (): void => {
    if (block.length > 0) cases.push(readCase(readLines(block, suite), suite));
    block = [];
  };
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) continue;
    if (line === "") close();
    else block.push(line);
  }
  close();
  return cases;
}

function readLines(block: readonly string[], suite: string): Line[] {
  const lines: Line[] = [];
  for (const text of block) {
    const last = lines.at(-1);
    // Indented by as much as the directive above takes: it goes on. More than that belongs to the value.
    const indent = (last?.directive.length ?? 0) + 1;
    if (last !== undefined && continued.has(last.directive) && /^\s+$/.test(text.slice(0, indent))) {
      last.value += `\n${text.slice(indent)}`;
      continue;
    }
    const [, directive = "", value = ""] = /^\s*(\S+)\s*([\s\S]*?)\s*$/.exec(text) ?? [];
    if (directive === "") continue;
    if (!directives.includes(directive)) throw new CaseError(`${suite}: '${directive}' is no directive of a case`);
    lines.push({ directive, value });
  }
  return lines;
}

function readCase(lines: readonly Line[], suite: string): Case {
  const all = (directive: string): string[] =>
    lines.filter((line) => line.directive === directive).map((line) => line.value);
  const last = (directive: string): string | undefined => all(directive).at(-1);
  const has = (directive: string): boolean => all(directive).length > 0;
  const name = last("NAME") ?? "";
  if (name === "") throw new CaseError(`${suite}: a case has no NAME`);
  const fail = (text: string): CaseError => new CaseError(`${suite}.${name}: ${text}`);
  const number = (directive: string): number | undefined => {
    const value = last(directive);
    if (value === undefined) return undefined;
    if (!/^-?\d+$/.test(value)) throw fail(`${directive} is no number: '${value}'`);
    return Number(value);
  };
  const command = last("RUN");
  const program = last("PROG");
  if ((command === undefined) === (program === undefined)) throw fail("it wants one of RUN and PROG");
  const expected = lines.flatMap(({ directive, value }): Expectation[] => {
    const kind = Object.entries(expectations).find(([known]) => known === directive)?.[1];
    return kind === undefined ? [] : [{ ...kind, value }];
  });
  if (expected.length === 0 && !has("RETURN_CODE")) throw fail("it expects nothing");
  const skip = /^([^=]*)=(.*)$/.exec(last("SKIP_IF_ENV_HAS") ?? "");
  return {
    suite,
    name,
    run: program === undefined ? { command: command ?? "" } : { program },
    expectations: expected,
    timeout: number("TIMEOUT") ?? defaultTimeout,
    before: all("BEFORE"),
    after: last("AFTER"),
    setup: last("SETUP"),
    cleanup: last("CLEANUP"),
    minKernel: last("MIN_KERNEL"),
    maxKernel: last("MAX_KERNEL"),
    requires: all("REQUIRES"),
    features: all("REQUIRES_FEATURE").flatMap((value) => value.split(/\s+/)),
    env: Object.fromEntries(
      all("ENV").flatMap((value) =>
        value.split(/\s+/).map((pair): [string, string] => {
          const at = pair.indexOf("=");
          if (at < 0) throw fail(`ENV wants NAME=VALUE: '${pair}'`);
          return [pair.slice(0, at), pair.slice(at + 1)];
        }),
      ),
    ),
    arch: (last("ARCH") ?? "").split("|").flatMap((word) => (word.trim() === "" ? [] : [word.trim()])),
    willFail: has("WILL_FAIL"),
    returnCode: number("RETURN_CODE") ?? 0,
    newPidNamespace: has("NEW_PIDNS"),
    skipIfEnv: skip === null ? undefined : { name: skip[1] ?? "", value: skip[2] ?? "" },
    localTime: number("LOCALIZE_TIMESTAMPS"),
  };
}

/** Where an expected file or JSON decides, what the program printed before its probes were attached does not count. */
export function isExact(test: Case): boolean {
  return test.expectations.some(({ mode }) => mode === "file" || mode === "json");
}

/** `suite.name`, as filters and reports call it. */
export function fullName(test: Pick<Case, "suite" | "name">): string {
  return `${test.suite}.${test.name}`;
}

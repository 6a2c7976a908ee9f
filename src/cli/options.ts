import { parseArgs } from "node:util";
import { BeetraceError } from "../base/errors.js";
import { nearest } from "../base/nearest.js";
import { type Stage, stages } from "../compile.js";
import type { TargetOptions } from "../trace/task-targets.js";

/** The command line is wrong; the message says how. */
export class UsageError extends BeetraceError {}

/** There is no such option, or it wants a value. */
export class OptionError extends UsageError {}

export interface Options {
  readonly mode: "run" | "test" | "bench" | "build" | "fmt" | "list" | "info" | "help" | "version";
  /** The word that stands for a command, not for a file. */
  readonly subcommand: string | undefined;
  /** Script of -e, or of the file; undefined for the other modes. */
  readonly script:
    | { readonly name: string; readonly file: string }
    | { readonly name: string; readonly text: string }
    | undefined;
  readonly positional: readonly string[];
  /** `--name=value` behind `--`, for getopt(). */
  readonly named: ReadonlyMap<string, string>;
  /** Of -l. */
  readonly pattern: string | undefined;
  /** Of --probe-filter: which probes run, by their names. */
  readonly probeFilter: RegExp | undefined;
  /** Tasks that all probes are limited to; -p among them. */
  readonly targets: Omit<TargetOptions, "tree"> & { readonly tree: number | "command" | undefined };
  readonly command: string | undefined;
  /** Processes of --dwarf-pid. */
  readonly unwound: readonly number[];
  readonly outputFile: string | undefined;
  readonly format: OutputFormat;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly unsafe: boolean;
  /** Failing helpers are reported. */
  readonly checkHelpers: boolean;
  readonly warnings: boolean;
  readonly dryRun: boolean;
  /** Headers of --include. */
  readonly include: readonly string[];
  /** Directories of -I. */
  readonly includePath: readonly string[];
  /** Directories of --debuginfo. */
  readonly debugFolders: readonly string[];
  /** File of --traceable-functions. */
  readonly traceableFunctions: string | undefined;
  readonly dump: ReadonlySet<Stage>;
}

/** name, short name, whether a value follows, what --help says; the order is that of --help. */
const table = [
  ["execute", "e", "PROGRAM", "run this program"],
  ["list", "l", undefined, "list probes; with a pattern those that match; with -v what is known of each"],
  ["pid", "p", "PID", "trace this process, all its threads; the trace ends when it does"],
  ["tree", "", "[PID]", "trace this process and its descendants, or those of -c; it ends with the last of them"],
  ["cgroup", "", "PATH", "trace tasks in this control group (version 2) or below it"],
  ["container", "", "ID", "trace tasks in the container whose id begins so"],
  ["uid", "", "USER", "trace tasks of this user, a name or number; several have commas between them"],
  ["comm", "", "NAME", "trace threads of this name; several have commas between them"],
  ["dwarf-pid", "", "PID", "read the unwinding tables of this process, too; several are given one by one"],
  ["cmd", "c", "COMMAND", "run this command and trace it; it starts when the probes are attached"],
  ["output", "o", "FILE", "write to this file instead of standard output"],
  [
    "format",
    "f",
    "FORMAT",
    "text (default), json (one object a line), html (a page of charts); of stacks: svg, folded, speedscope, pprof",
  ],
  ["quiet", "q", undefined, "only print what the script prints"],
  ["verbose", "v", undefined, "say more"],
  ["unsafe", "", undefined, "allow system() and others that change the system"],
  ["include", "", "HEADER", "include this header in front of the script"],
  ["include-path", "I", "DIRECTORY", "search headers there first"],
  ["debuginfo", "", "DIR[:DIR]", "search debugging information of programs there first"],
  [
    "traceable-functions",
    "",
    "FILE",
    "the kernel's functions that may be traced, as tracefs lists them in available_filter_functions",
  ],
  ["warnings", "k", undefined, "warn when the script reads what is not there: map entries, memory"],
  ["no-warnings", "", undefined, "do not warn about the script"],
  ["buffer", "B", "MODE", "accepted as bpftrace does: line, full or none"],
  [
    "usdt-file-activation",
    "",
    undefined,
    "accepted as bpftrace does: counters of USDT probes are raised in every process",
  ],
  ["debug", "d", "STAGE", `show a stage of the compiler: ${stages.join(", ")} or all`],
  ["test", "", undefined, "run the test: probes, and tell which of them return 0 without an error"],
  ["bench", "", undefined, "run the bench: probes, and tell how long they take"],
  ["mode", "", "MODE", "test or bench, as the two above"],
  ["probe-filter", "", "REGEX", "only probes whose names match"],
  ["fmt", "", undefined, "print the script in the usual layout"],
  ["dry-run", "", undefined, "check and load, but attach nothing"],
  ["info", "", undefined, "what this kernel offers, and what lacks"],
  ["version", "V", undefined, "print the version"],
  ["help", "h", undefined, "print this text"],
] as const;

type OptionName = (typeof table)[number][0];

const parserOptions = Object.fromEntries(
  table.map(
    ([name, short, value]) =>
      [
        name,
        { type: value === undefined ? "boolean" : "string", ...(short === "" ? {} : { short }), multiple: true },
      ] as const,
  ),
) as Record<OptionName, { type: "boolean" | "string"; short?: string; multiple: true }>;

/** Reads the arguments behind the program's name. Throws UsageError. */
export function parseOptions(args: readonly string[]): Options {
  const { own, rest: words } = splitArguments(args);
  const values = parseOwn(own);
  const last = (name: OptionName): string | undefined => {
    const value = values[name]?.at(-1);
    return typeof value === "string" ? value : undefined;
  };
  const texts = (name: OptionName): readonly string[] =>
    (values[name] ?? []).filter((value): value is string => typeof value === "string");
  const has = (name: OptionName): boolean => values[name] !== undefined;
  const program = last("execute");
  const written = modeOf(has, last("mode"));
  const subcommand = written === "run" ? commandOf(words, program) : undefined;
  const rest = subcommand === undefined ? words : words.slice(1);
  const mode = subcommand ?? written;
  const [first] = rest;
  let script: Options["script"];
  let positional = rest;
  if (mode === "list" && program !== undefined) script = { name: "stdin", text: program };
  if (mode === "run" || mode === "test" || mode === "bench" || mode === "build" || mode === "fmt") {
    if (program !== undefined) script = { name: "stdin", text: program };
    else if (first !== undefined) {
      script = { name: first, file: first };
      positional = rest.slice(1);
    } else
      throw new UsageError("nothing to run", {
        hint: "beetrace -e 'PROGRAM' or beetrace FILE; beetrace --help says more",
      });
  }
  return {
    mode,
    subcommand: subcommand === undefined ? undefined : words[0],
    script,
    ...scriptArguments(positional),
    pattern: mode === "list" ? first : undefined,
    probeFilter: filterOf(last("probe-filter")),
    targets: {
      pid: pidOf("-p", last("pid")),
      tree: treeOf(last("tree"), last("cmd")),
      cgroup: texts("cgroup"),
      container: texts("container"),
      uid: listed("--uid", texts("uid")),
      comm: listed("--comm", texts("comm")),
    },
    unwound: texts("dwarf-pid").flatMap((text) => pidOf("--dwarf-pid", text) ?? []),
    command: last("cmd"),
    outputFile: last("output"),
    format: formatOf(last("format"), last("output")),
    quiet: has("quiet"),
    verbose: has("verbose"),
    unsafe: has("unsafe"),
    warnings: !has("no-warnings"),
    checkHelpers: has("warnings"),
    dryRun: has("dry-run"),
    include: texts("include"),
    includePath: texts("include-path"),
    debugFolders: texts("debuginfo").flatMap((list) => list.split(":").filter((folder) => folder !== "")),
    traceableFunctions: last("traceable-functions"),
    dump: new Set(
      (values.debug ?? []).flatMap((stage) => (stage === "all" ? stages : [oneOf("-d", String(stage), stages)])),
    ),
  };
}

/** Commands by their words. */
const commands = { build: "build", run: "run", help: "help" } as const satisfies Record<string, Options["mode"]>;

/** Words that are kept for commands to come. */
const keptWords: ReadonlySet<string> = new Set([
  ...["tools", "describe-kernel", "record", "replay", "test", "struct", "pahole", "ps", "bpf"],
  ...["cleanup", "bcc", "fleet", "lint", "lsp"],
]);

/** A bare word is a command; with a dot or a slash it is a file. What is kept is a file for now, if somebody has one. */
export const isKeptWord = (word: string): boolean => keptWords.has(word);

function commandOf([first]: readonly string[], program: string | undefined): Options["mode"] | undefined {
  const command = Object.entries(commands).find(([word]) => word === first)?.[1];
  // With -e it is the first argument of the script, but for `build -e`.
  return program === undefined || command === "build" ? command : undefined;
}

/** The script's own words: behind `--` those that begin with `--` are named parameters, the others have numbers. */
function scriptArguments(words: readonly string[]): Pick<Options, "positional" | "named"> {
  const separator = words.indexOf("--");
  if (separator < 0) return { positional: words, named: new Map() };
  const positional = words.slice(0, separator);
  const named = new Map<string, string>();
  for (const word of words.slice(separator + 1)) {
    const option = /^--([^=]+)(?:=(.*))?$/s.exec(word);
    if (option === null) positional.push(word);
    else named.set(option[1] ?? "", option[2] ?? "true");
  }
  return { positional, named };
}

/** Options may stand anywhere up to `--`; what follows that is the script's own. */
function splitArguments(args: readonly string[]): { own: string[]; rest: string[] } {
  const withValue = new Set(
    table.flatMap(([name, short, value]) =>
      value === undefined ? [] : [`--${name}`, ...(short === "" ? [] : [short])],
    ),
  );
  const own: string[] = [];
  const rest: string[] = [];
  let i = 0;
  for (; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (arg === "--") break;
    if (!arg.startsWith("-") || arg === "-") {
      // Options may follow the script, as getopt_long(3) lets them: bpftrace FILE -c ls.
      rest.push(arg);
      continue;
    }
    if (arg === "--tree") {
      // Its value may be left out, where the command of -c is meant.
      const next = args[i + 1] ?? "";
      const given = /^\d+$/.test(next);
      own.push(`--tree=${given ? next : ""}`);
      if (given) i++;
      continue;
    }
    own.push(arg);
    const takesNext = arg.startsWith("--")
      ? withValue.has(arg)
      : withValue.has(arg.at(-1) ?? "") && shortTakesNext(arg, withValue);
    if (takesNext && i + 1 < args.length) own.push(args[++i] ?? "");
  }
  rest.push(...args.slice(i));
  return { own, rest };
}

/** In `-ve` the e takes the next argument; in `-epid` it took what follows it. */
function shortTakesNext(group: string, withValue: ReadonlySet<string>): boolean {
  const at = [...group.slice(1)].findIndex((letter) => withValue.has(letter));
  return at === group.length - 2;
}

function parseOwn(own: string[]): Partial<Record<OptionName, (string | boolean)[]>> {
  try {
    return parseArgs({ args: own, options: parserOptions, strict: true, allowPositionals: false }).values as Partial<
      Record<OptionName, (string | boolean)[]>
    >;
  } catch (error) {
    const message = (error as Error).message;
    const unknown = /Unknown option '(-{1,2}[^']+)'/.exec(message)?.[1];
    if (unknown !== undefined) {
      const near = nearest(
        unknown.replace(/^-+/, ""),
        table.map(([name]) => name),
      );
      throw new OptionError(`there is no option ${unknown}`, {
        hint:
          near === undefined || unknown.length < 4 ? "beetrace --help lists the options" : `did you mean --${near}?`,
      });
    }
    const missing = /'(?:(-\w), )?--([\w-]+)[^']*' argument missing/.exec(message);
    if (missing !== null)
      throw new OptionError(`option ${missing[1] ?? `--${missing[2]}`} needs a value`, {
        hint: "beetrace --help lists the options",
      });
    throw new OptionError(message.split(/[.\n]/, 1)[0] ?? message, { hint: "beetrace --help lists the options" });
  }
}

/** Entries of options that take several, each with commas between them. */
function listed(option: string, texts: readonly string[]): readonly string[] {
  const entries = texts.flatMap((text) => text.split(","));
  if (entries.includes("")) throw new UsageError(`an entry of ${option} is empty`);
  return entries;
}

function treeOf(text: string | undefined, command: string | undefined): Options["targets"]["tree"] {
  if (text !== "") return pidOf("--tree", text);
  if (command !== undefined) return "command";
  throw new UsageError("--tree needs a process", { hint: "give its id, or a command with -c" });
}

function pidOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const hint = `${option} takes a number, e.g. ${option} $(pgrep -n nginx)`;
  if (!/^[0-9]+$/.test(text)) {
    const what = /^[0-9]/.test(text) ? "invalid trailing bytes" : "invalid integer";
    throw new UsageError(`Failed to parse pid: ${what}: ${text}`, { hint });
  }
  const pid = Number(text);
  if (pid < 1 || pid > 4_194_304) throw new UsageError(`Pid out of range: ${text}`, { hint });
  return pid;
}

const formats = ["text", "json", "html", "svg", "folded", "speedscope", "pprof"] as const;

export type OutputFormat = (typeof formats)[number];

/** Formats that the name of the output file asks for, where -f does not say. */
const endings: readonly (readonly [ending: string, format: OutputFormat])[] = [
  [".html", "html"],
  [".svg", "svg"],
  [".folded", "folded"],
  [".speedscope.json", "speedscope"],
  [".pb.gz", "pprof"],
  [".pprof", "pprof"],
];

function formatOf(text: string | undefined, file: string | undefined): OutputFormat {
  if (text === undefined) return endings.find(([ending]) => file?.endsWith(ending) === true)?.[1] ?? "text";
  const found = formats.find((format) => format === text);
  if (found === undefined)
    throw new UsageError(`Invalid output format "${text}"`, { hint: `-f takes ${formats.join(", ")}` });
  if (found === "pprof" && file === undefined)
    throw new UsageError("-f pprof writes no text", { hint: "-o profile.pb.gz says where to" });
  return found;
}

function filterOf(text: string | undefined): RegExp | undefined {
  try {
    return text === undefined ? undefined : new RegExp(text);
  } catch (error) {
    throw new UsageError(`Invalid --probe-filter regex '${text}': ${(error as Error).message}`);
  }
}

function modeOf(has: (name: OptionName) => boolean, written: string | undefined): Options["mode"] {
  for (const mode of ["help", "version", "info", "list", "fmt"] as const) if (has(mode)) return mode;
  const wanted = new Set<"test" | "bench">();
  if (has("test")) wanted.add("test");
  if (has("bench")) wanted.add("bench");
  if (written !== undefined) wanted.add(oneOf("--mode", written, ["test", "bench"]));
  if (wanted.size > 1) throw new UsageError("--test and --bench exclude each other");
  return [...wanted][0] ?? "run";
}

function oneOf<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found === undefined)
    throw new UsageError(`${option} cannot be '${text}'`, { hint: `it is one of ${choices.join(", ")}` });
  return found;
}

const usageLines = [
  "  beetrace [options] FILE [ARGUMENTS]",
  "  beetrace [options] -e 'PROGRAM' [ARGUMENTS]",
  "  beetrace -l [PATTERN | FILE | -e 'PROGRAM']",
  "  beetrace build [-o FILE.btu] SCRIPT | -e 'PROGRAM'",
  "  beetrace run FILE.btu",
];

/** How the program is called, for those who called it otherwise. */
export const usageText = `USAGE:\n${usageLines.join("\n")}\n`;

export function helpText(): string {
  const rows = table.map(([name, short, value, text]) => {
    const left = `${short === "" ? "    " : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
    return `  ${left.padEnd(30)} ${text}`;
  });
  return `Traces Linux with programs in bpftrace's language.

USAGE:
${usageLines.join("\n")}

OPTIONS:
${rows.join("\n")}

Settings are read from environment variables named BPFTRACE_*, e.g. BPFTRACE_MAX_STRLEN. With
__BPFTRACE_NOTIFY_PROBES_ATTACHED=1 a line of that text is printed when all probes are attached.

EXAMPLES:
  beetrace -e 'tracepoint:syscalls:sys_enter_openat { printf("%s %s\\n", comm, str(args.filename)); }'
  beetrace -e 'tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }'
  beetrace -l 'tracepoint:sched:*'
`;
}

import { readFileSync, statSync } from "node:fs";
import { constants } from "node:os";
import { basename } from "node:path";
import { setFlagsFromString } from "node:v8";
import { decodeBytes, pathOf } from "../base/byte-text.js";
import { type Diagnostic, Diagnostics, renderDiagnostic } from "../base/diagnostics.js";
import { BeetraceError } from "../base/errors.js";
import { type CompileResult, compile, type Stage } from "../compile.js";
import { openHeaders } from "../kernel/headers.js";
import { importFiles } from "../kernel/import-files.js";
import { openKernelView } from "../kernel/kernel-view.js";
import { checkPrivileges } from "../kernel/privileges.js";
import { configNameOf, isConfigName } from "../language/config.js";
import type { KernelView } from "../language/kernel-view.js";
import type { Parameter } from "../language/parameters.js";
import type { Moment } from "../language/probe.js";
import { AttachError } from "../load/attach-error.js";
import { VerifierError } from "../load/verifier-error.js";
import { formatScript } from "../syntax/format.js";
import { parse } from "../syntax/parser.js";
import { openSys } from "../sys/ffi.js";
import { ownArguments, ownVariable } from "../sys/own-words.js";
import { handleNoMore, handleOnce } from "../sys/process-calls.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";
import { Child } from "../trace/child.js";
import { lookAtFramePointers } from "../trace/frame-pointers.js";
import { LocalZone } from "../trace/local-zone.js";
import { ownProgramAmong, tracesItself } from "../trace/probed-files.js";
import { requireProcess, resolveTargets, type TaskTargets } from "../trace/task-targets.js";
import { Trace } from "../trace/trace.js";
import type { ShownType } from "../types/shown-type.js";
import type { Unit } from "../unit.js";
import { isStoredUnit } from "../unit-file.js";
import { helpText, isKeptWord, OptionError, type Options, parseOptions, UsageError, usageText } from "./options.js";
import { Output } from "./output.js";
import { runPrograms } from "./programs.js";
import { printError, Writer } from "./writer.js";

/** Exit status of a run that failed before or while it traced. */
const failure = 1;

/**
 * MiB of each half of the heap's young part. Events live for one turn of the loop: with the 16 MiB that Node.js takes, tens of
 * megabytes of what was printed long ago wait to be collected, beside the buffers that it refers to.
 */
const youngHeap = 2;
/** By how many per cent it grows between looks for what nobody uses any more; V8 itself waits until it is up to four times as large. */
const heapGrowth = 20;

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.mode === "help") return print(helpText());
  if (options.mode === "version") return print(`beetrace ${(await import("./version.js")).version}\n`);
  tellOfChoice(options);
  if (options.mode === "fmt" && options.script !== undefined) return format(readText(options.script), options);
  const input = options.script === undefined ? undefined : readScript(options.script);
  const sys = openSys();
  const { debugFolders, traceableFunctions } = options;
  const kernel = openKernelView(sys, { debugFolders, traceableFunctions });
  if (options.mode === "list") return await list(options, kernel);
  if (options.mode === "info") return print((await import("./info.js")).infoText(sys, kernel, textOrJson(options)));
  if (input === undefined) return failure;
  if (options.mode === "build") (await import("./stored-unit.js")).checkBuild(options);
  checkPrivileges();
  const child = options.command === undefined ? undefined : await Child.start(sys, options.command);
  if (child !== undefined) kernel.expectProgram(child.pid, child.program);
  let unit: Unit | undefined;
  try {
    const { tree, ...given } = options.targets;
    const targets = resolveTargets({ ...given, tree: tree === "command" ? child?.pid : tree }, kernel);
    const { result, wanted } =
      "text" in input
        ? compileScript(input, kernel, options, targets, child)
        : { result: await storedResult(input, kernel, options), wanted: new Wanted(options) };
    const own = ownProgramAmong(result.unit?.attachPoints ?? []);
    if (own !== undefined && options.mode === "run" && !options.dryRun) await leaveProgram(own, sys, options, child);
    reportResult(result, options);
    if (result.parameters !== undefined) {
      // As bpftrace: whoever asks gets an answer, but nothing was traced.
      print(parametersText(result.parameters));
      return failure;
    }
    unit = result.unit;
    if (unit === undefined) return failure;
    if (unit.attachPoints.length === 0) return nothingToAttach(wanted, options);
    if (options.mode === "build") {
      const file = (await import("./stored-unit.js")).writeUnit(unit, kernel, options);
      return options.quiet
        ? 0
        : print(`${file}: ${unit.attachPoints.length} attach point${unit.attachPoints.length === 1 ? "" : "s"}\n`);
    }
    await checkFormat(options, unit);
    const source = "text" in input ? input : (unit.attachPoints[0]?.span.source ?? { name: input.name, text: "" });
    const style = { zone: new LocalZone(), jsonKeys: unit.config.json_keys };
    const output = new Output(sys, options, source, style);
    using trace = new Trace({
      sys,
      kernel,
      debugFolders: options.debugFolders,
      unit,
      child,
      pid: given.pid,
      unwound: options.unwound,
      targets,
      onEvent: (event) => output.event(event),
      // A report keeps what maps were until the end.
      namesWhenShown: options.format !== "html",
      afterTurn: () => output.flush(),
      shown: () => output.shown(),
      ...(options.verbose ? { onNote: (text: string) => output.note(text) } : {}),
    });
    output.onClosed = () => trace.stop();
    if (options.verbose) describe(unit);
    if (options.dryRun) return 0;
    if (options.mode === "test" || options.mode === "bench")
      return await runPrograms(trace, options.mode, textOrJson(options), style, output);
    const release = onSignals(sys, trace);
    // Not before: compiling is quicker in a large one.
    setFlagsFromString(`--max-semi-space-size=${youngHeap}`);
    setFlagsFromString("--semi-space-growth-factor=1");
    setFlagsFromString(`--heap-growing-percent=${heapGrowth}`);
    try {
      const status = await trace.run();
      await output.close();
      return status;
    } catch (error) {
      output.failed(error instanceof Error ? error.message : String(error));
      // The probes are not attached while the last output waits for its reader.
      trace[Symbol.dispose]();
      // What failed first is told: that nothing can be written, perhaps.
      await output.close().catch(() => undefined);
      throw error;
    } finally {
      release();
    }
  } finally {
    child?.end();
  }
}

function format(source: { name: string; text: string }, options: Options): number {
  const diags = new Diagnostics();
  const program = parse(source, diags, true);
  report(diags.list, diags.suppressed, options);
  return diags.failed ? failure : print(formatScript(source, program));
}

/** Of what is no trace. */
function textOrJson({ format, mode }: Options): "text" | "json" {
  if (format === "text" || format === "json") return format;
  throw new UsageError(`-f ${format} shows maps, which --${mode} has none of`, {
    hint: "-f takes text or json here",
  });
}

/** Tells at once what would be of no use at the end. */
async function checkFormat({ format, mode, outputFile }: Options, { maps }: Unit): Promise<void> {
  if (mode !== "run") return;
  const page = format === "svg" || format === "html";
  if (page && outputFile === undefined && (await import("node:tty")).isatty(1))
    throw new UsageError(`-f ${format} would fill the terminal with markup`, {
      hint: `-o ${format === "svg" ? "profile.svg" : "report.html"} says where to write it`,
    });
  if (format === "text" || format === "json" || format === "html") return;
  if ([...maps.values()].some(({ key = [] }) => key.some(hasStackType))) return;
  throw new UsageError(`no map is keyed by a stack, so that -f ${format} has nothing to show`, {
    hint: "key a map by one, e.g. @[ustack, comm] = count(); or take -f html, which shows maps of every kind",
  });
}

const hasStackType = (type: ShownType): boolean =>
  type.kind === "stack" || (type.kind === "tuple" && type.items.some(hasStackType));

function print(text: string): number {
  const writer = new Writer(1, () => undefined);
  writer.write(text);
  writer.close();
  return 0;
}

/** A script, or the bytes of a compiled one. */
type Given = { readonly name: string; readonly text: string } | { readonly name: string; readonly stored: Uint8Array };

function readScript(script: NonNullable<Options["script"]>): Given {
  if ("text" in script) return script;
  const bytes = readScriptFile(script.file);
  if (isStoredUnit(bytes)) return { name: script.name, stored: bytes };
  if (!bytes.includes(0)) return { name: script.name, text: decodeBytes(bytes) };
  throw new BeetraceError(`'${script.file}' is no script: it is not text`, {
    hint: "-c runs a program, and -l 'uprobe:FILE:*' lists its functions",
  });
}

/** A script as it was written. */
function readText(script: NonNullable<Options["script"]>): { readonly name: string; readonly text: string } {
  const input = readScript(script);
  if ("text" in input) return input;
  throw new BeetraceError(`'${input.name}' is a compiled script`, {
    hint: `beetrace run -d unit --dry-run ${input.name} shows what is in it`,
  });
}

/** As if it had just been compiled. */
async function storedResult(
  { name, stored }: Extract<Given, { readonly stored: Uint8Array }>,
  kernel: KernelView,
  options: Options,
): Promise<CompileResult> {
  const unit = (await import("./stored-unit.js")).unitIn(stored, name, kernel, options);
  if (options.dump.has("unit")) print(`// unit: ${name}\n${(await import("../unit-text.js")).unitText(unit)}\n\n`);
  return { diagnostics: [], suppressed: 0, unit };
}

/** Where a word could be a command or a file, which it was taken for. */
function tellOfChoice({ subcommand, script }: Options): void {
  if (subcommand !== undefined && isRegular(subcommand))
    printError(`NOTE: ${subcommand} is the command; ./${subcommand} is the file\n`);
  if (script !== undefined && "file" in script && isKeptWord(script.file) && isRegular(script.file))
    printError(
      `NOTE: ${script.file} is the file, but the word is kept for a command to come; ./${script.file} will stay the file\n`,
    );
}

function readScriptFile(file: string): Buffer {
  try {
    return readFileSync(file === "-" ? 0 : pathOf(file));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "No such file or directory" : code === "EISDIR" ? "Is a directory" : message;
    throw new BeetraceError(
      `failed to open file '${file}': ${reason}`,
      /[\s{]/.test(file) ? { hint: "a program on the command line comes behind -e" } : {},
    );
  }
}

function compileScript(
  source: { name: string; text: string },
  kernel: KernelView,
  options: Options,
  { filter, root }: TaskTargets,
  child: Child | undefined,
): { readonly result: CompileResult; readonly wanted: Wanted } {
  const settings: Record<string, string> = {};
  for (const name of Object.keys(process.env)) {
    const key = name.startsWith("BPFTRACE_") ? configNameOf(name) : "";
    if (isConfigName(key)) settings[key] = ownVariable(name) ?? "";
  }
  const { positional, named, unsafe, checkHelpers } = options;
  const dump =
    options.dump.size === 0
      ? undefined
      : (stage: Stage, title: string, text: string): void => {
          if (options.dump.has(stage)) print(`// ${stage}: ${title}\n${text}\n\n`);
        };
  const wanted = new Wanted(options);
  const result = compile(source, kernel, {
    settings,
    positional,
    named,
    unsafe,
    checkHelpers,
    // What is attached to one process would miss the others of a tree.
    pid: options.targets.pid ?? (root === undefined ? child?.pid : undefined),
    filter,
    childPid: child?.pid,
    unwound: options.unwound.length > 0,
    framePointers: () =>
      lookAtFramePointers({
        pids: [options.targets.pid, root === child?.pid ? undefined : root, ...options.unwound],
        program: child?.program,
      }),
    imports: importFiles,
    headers: openHeaders({ directories: options.includePath, release: kernel.release, arch: kernel.arch }),
    include: options.include,
    only: wanted.has,
    dump,
  });
  return { result, wanted };
}

function reportResult({ parameters, diagnostics, suppressed }: CompileResult, options: Options): void {
  if (parameters === undefined || diagnostics.some((d) => d.severity === "error"))
    report(diagnostics, suppressed, options);
}

function nothingToAttach(wanted: Wanted, options: Options): number {
  const nothing = wanted.nothing();
  if (nothing instanceof BeetraceError) throw nothing;
  // As bpftrace: on standard output.
  if (!options.quiet) print("No probes to attach\n");
  printError(`HINT: ${nothing.hint}\n`);
  return failure;
}

/** Whether a file can be read once more. */
const isRegular = (file: string): boolean => statSync(pathOf(file), { throwIfNoEntry: false })?.isFile() === true;

/** Goes on in a copy of Node.js if a script probes the file that it runs from; says so if that cannot be. */
async function leaveProgram(own: string, sys: Sys, { script, warnings }: Options, child?: Child): Promise<void> {
  let why = "the script comes from a pipe, and cannot be read again";
  if (script !== undefined && ("text" in script || isRegular(script.file))) {
    const { runFromCopy } = await import("./own-copy.js");
    const stopChild = async (): Promise<void> => {
      child?.end();
      await child?.ended;
    };
    try {
      await runFromCopy(sys, words, stopChild);
    } catch (error) {
      if (!(error instanceof SyscallError) || child?.exitCode !== undefined) throw error;
      why = error.message;
    }
  }
  if (warnings) printError(`WARNING: ${tracesItself(own)}: no copy of it could be run, ${why}\n`);
}

/** What `-- --help` prints: each parameter of the script with its default and what it says of itself. */
function parametersText(parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return "The script has no named parameters.\n";
  const rows = [...parameters]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, description }) => (description === "" ? `--${name}` : `--${name}: ${description}`));
  const defaults = parameters.map(({ name, fallback }) => `--${name}=${fallback === "" ? '""' : fallback}`);
  return `HINT: expected program options:\n${rows.join("\n")}\nDefaults: ${defaults.join(" ")}\n`;
}

/** Which attach points are wanted: those of a mode or a filter. Remembers the moments of those that are not. */
class Wanted {
  readonly left = new Set<Moment | undefined>();
  private readonly options: Options;

  constructor(options: Options) {
    this.options = options;
  }

  readonly has = (name: string, moment: Moment | undefined): boolean => {
    const { mode, probeFilter } = this.options;
    if (moment === "begin" || moment === "end") return true;
    const inMode = mode === "run" ? moment !== "test" && moment !== "bench" : moment === mode;
    if (inMode && (probeFilter?.test(name) ?? true)) return true;
    this.left.add(moment);
    return false;
  };

  /** Why there is nothing to do; a hint where no more is wrong than that nothing matches. */
  nothing(): BeetraceError | { readonly hint: string } {
    const { mode, probeFilter } = this.options;
    const other = mode === "run" ? (["test", "bench"] as const).find((one) => this.left.has(one)) : undefined;
    if (probeFilter === undefined && other !== undefined)
      return new BeetraceError(`No probes attached; use --${other} to run ${other}: probes.`);
    if (mode !== "run") return new BeetraceError(`the script has no ${mode}: probe to run`);
    return {
      hint:
        probeFilter === undefined
          ? "none of the script's attach points is there, and missing_probes = ignore keeps quiet about it"
          : `no probe's name matches ${probeFilter}`,
    };
  }
}

function report(diagnostics: readonly Diagnostic[], suppressed: number, options: Options): void {
  const shown = diagnostics.filter((d) => d.severity === "error" || options.warnings);
  let text = shown.map((d) => `${renderDiagnostic(d)}\n`).join("");
  if (suppressed > 0) text += `${suppressed} more errors\n`;
  printError(text);
}

async function list(options: Options, kernel: KernelView): Promise<number> {
  const { isFile, listPatterns, listScript, looksLikeFile, whyNothing } = await import("./list.js");
  const { verbose, pattern = "" } = options;
  const { pid } = options.targets;
  if (pid !== undefined) requireProcess(pid);
  const writer = new Writer(1, () => undefined);
  const diags = new Diagnostics();
  const script = options.script ?? (isFile(pattern) ? { name: pattern, file: pattern } : undefined);
  if (script === undefined && looksLikeFile(pattern))
    printError(
      `WARNING: It appears that '${pattern}' is a filename but the file does not exist. Treating '${pattern}' as a search pattern.\n`,
    );
  const lines =
    script === undefined
      ? listPatterns(pattern, kernel, { verbose, pid })
      : listScript(readText(script), kernel, { verbose, pid }, diags);
  let found = false;
  for (const line of lines) {
    found = true;
    writer.write(`${line}\n`);
  }
  writer.close();
  report(diags.list, diags.suppressed, options);
  // bpftrace, too, calls it no error that nothing matches.
  if (!found && !diags.failed) {
    const why = whyNothing(pattern, kernel, pid);
    printError(`No probe matches '${pattern}'${why === undefined ? "" : `: ${why}`}.\n`);
  }
  return diags.failed ? failure : 0;
}

/** What was made of the script, for -v. */
function describe({ object, programs, attachPoints, userStacks }: Unit): void {
  for (const { name, type, code } of object.programs) {
    const own = programs.find((program) => program.name === name)?.attachPoints ?? [];
    printError(
      `${name}: BPF program of type ${type}, ${code.length / 8} instructions, for ${own.map((id) => attachPoints[id]?.name).join(", ")}\n`,
    );
  }
  if (userStacks !== undefined) printError(`ustack goes by ${userStacks.by}: ${userStacks.why}\n`);
  for (const { name, maxEntries, keySize, valueSize } of object.maps) {
    printError(`map ${name}: ${maxEntries} entries, keys of ${keySize} bytes, values of ${valueSize}\n`);
  }
}

/**
 * Ctrl-C and the polite signals end a trace. A second one ends the program at once: that is the kernel's business, so that it
 * does not matter what this thread is doing, or what it waits for.
 */
function onSignals(sys: Sys, trace: Trace): () => void {
  let asked = false;
  const stop = (signal: NodeJS.Signals): void => {
    // Both came before this thread could look.
    if (asked) {
      handleNoMore(sys, constants.signals[signal]);
      process.kill(process.pid, signal);
    }
    asked = true;
    for (const each of signals) if (each !== signal) handleNoMore(sys, constants.signals[each]);
    trace.stop(true);
  };
  const show = (): void => trace.signalled();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) {
    process.on(signal, stop);
    handleOnce(sys, constants.signals[signal]);
  }
  process.on("SIGUSR1", show);
  return () => {
    for (const signal of signals) process.off(signal, stop);
    process.off("SIGUSR1", show);
  };
}

function explain(error: unknown, verbose: boolean): string {
  if (error instanceof VerifierError && error.span !== undefined) {
    const { message, span, log } = error;
    const hint = verbose ? error.hint : `${error.hint}; -v shows the verifier's whole log`;
    const text = renderDiagnostic({ severity: "error", code: "verifier", span, message, hint, notes: [] });
    return `${verbose ? `${log}\n` : ""}${text}\n`;
  }
  if (error instanceof AttachError && error.span !== undefined) {
    const { message, span, hint } = error;
    // The line stands alone, as bpftrace's does: programs look for it.
    const notes = [{ message: "this attach point", span }];
    return `${renderDiagnostic({ severity: "error", code: "attach", span: undefined, message, hint, notes })}\n`;
  }
  if (error instanceof BeetraceError) {
    const lines = [`ERROR: ${error.message}`];
    if (error.hint !== undefined) lines.push(`HINT: ${error.hint}`);
    if (error instanceof OptionError) lines.push(usageText.trimEnd());
    return `${lines.join("\n")}\n`;
  }
  const message = error instanceof Error ? error.message : String(error);
  const detail = process.env["BEETRACE_DEBUG"] !== undefined && error instanceof Error ? `${error.stack}\n` : "";
  return `ERROR: internal error: ${message.replace(/^internal: /, "")}\nHINT: this is a bug in beetrace; please report it with the script and what beetrace --info prints\n${detail}`;
}

// Under a link's name, e.g. bpftrace, it is found by that name, as by pidof(1).
const words = ownArguments();
process.title = basename(words[1] ?? "beetrace", ".js");
main(words.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    const verbose = words.some((arg) => /^(?:-[a-zA-Z]*v|--verbose$)/.test(arg));
    printError(explain(error, verbose));
    process.exitCode = failure;
  },
);

import { machines } from "./abi/registers.js";
import { type Diagnostic, Diagnostics } from "./base/diagnostics.js";
import type { Source } from "./base/span.js";
import { disassemble } from "./bpf/disassemble.js";
import { type EmittedFunctions, emitFunctions } from "./bpf/emit.js";
import { StackOverflowError } from "./bpf/frame.js";
import type { BpfObject, ProgramSpec } from "./bpf/object.js";
import { type Headers, noHeaders } from "./c/preprocess.js";
import { type BindOptions, bindProbes } from "./check/bind.js";
import { check } from "./check/check.js";
import { readConfig } from "./check/config.js";
import { dumpAst, dumpTypes } from "./check/dump.js";
import { expandCMacros } from "./check/expand-c-macros.js";
import { expandMacros } from "./check/expand-macros.js";
import { resolveImports } from "./check/imports.js";
import { readPreamble } from "./check/preamble.js";
import type { IrFunction } from "./ir/ir.js";
import { optimize } from "./ir/passes/optimize.js";
import { printIr } from "./ir/printer.js";
import { kernelMembers } from "./language/builtins/unwind-memory.js";
import type { Config } from "./language/config.js";
import { type ImportReader, noImports } from "./language/import-reader.js";
import type { KernelView } from "./language/kernel-view.js";
import { type Parameter, Parameters } from "./language/parameters.js";
import { looksAtTasks, type TaskFilter } from "./language/task-filter.js";
import type { TypedProgram, TypedScript } from "./language/typed.js";
import { chooseUserStacks, type FramePointers, type UserStacks } from "./language/user-stacks.js";
import { mapSpecs } from "./lower/map-specs.js";
import { ObjectBuilder } from "./lower/object-builder.js";
import { lowerProcessTree } from "./lower/process-tree.js";
import { lowerWithReturns } from "./lower/sessions.js";
import type { TrackerProgram } from "./lower/task-events.js";
import { lowerFileQuestion, lowerUnwindProcesses } from "./lower/unwind-processes.js";
import { waits } from "./lower/waiting.js";
import { parse } from "./syntax/parser.js";
import { shownType } from "./types/shown-type.js";
import type { Tracker, Unit } from "./unit.js";
import { unitText } from "./unit-text.js";
import { fileQuestion } from "./wire/unwind.js";

export const stages = ["ast", "types", "ir", "bytecode", "unit"] as const;
export type Stage = (typeof stages)[number];

export interface CompileOptions {
  /** Settings from outside the script (environment variables, by config name); they win over the script's. */
  readonly settings: Readonly<Record<string, string>>;
  /** `$1`, `$2` ... */
  readonly positional: readonly string[];
  /** `--name=value`, for getopt(). */
  readonly named?: ReadonlyMap<string, string>;
  readonly unsafe: boolean;
  /** Programs tell when a helper fails. */
  readonly checkHelpers?: boolean;
  /** Process that probes are attached to, where they can be. */
  readonly pid: number | undefined;
  /** Tasks that the programs are limited to. */
  readonly filter?: TaskFilter;
  /** Process of the command that is traced, what `cpid` says. */
  readonly childPid?: number | undefined;
  /** There are processes beside these whose tables of unwinding are read. */
  readonly unwound?: boolean;
  /** Whether the processes that the trace is about keep frame pointers; left out where nobody can tell. */
  readonly framePointers?: (() => FramePointers) | undefined;
  /** Where `#include` looks; nowhere if it is left out. */
  readonly headers?: Headers | undefined;
  /** Where `import` finds files; nowhere if not given. */
  readonly imports?: ImportReader | undefined;
  /** Headers that are included in front of the script. */
  readonly include?: readonly string[];
  /** Is told each stage's result as text. */
  readonly dump?: ((stage: Stage, title: string, text: string) => void) | undefined;
  /** Which attach points are wanted, by their full names and moments; all, if it is left out. */
  readonly only?: BindOptions["only"];
  /** Whether the IR is verified after each pass, as tests do. */
  readonly verify?: boolean;
  /** False leaves the IR as it was lowered. */
  readonly optimize?: boolean;
}

export interface CompileResult {
  readonly diagnostics: readonly Diagnostic[];
  /** Errors beyond those in `diagnostics`. */
  readonly suppressed: number;
  /** Absent if there are errors, and if only the parameters were asked for. */
  readonly unit?: Unit;
  /** What it was made of; absent with it. */
  readonly script?: TypedScript;
  /** What the script takes behind `--`, if `--help` stands there. */
  readonly parameters?: readonly Parameter[];
}

/** The stages in their order; pure but for what `kernel` looks up. The same script gives the same bytes. */
export function compile(source: Source, kernel: KernelView, options: CompileOptions): CompileResult {
  const diags = new Diagnostics();
  const failed = (): CompileResult => ({ diagnostics: diags.list, suppressed: diags.suppressed });
  const { headers = noHeaders, include = [], imports = noImports } = options;
  const { program: written, headers: imported } = resolveImports(parse(source, diags), imports, diags);
  const { definitions, types } = readPreamble(written.preamble, [...include, ...imported], headers, kernel, diags);
  const ast = expandCMacros(expandMacros(written, diags), definitions, diags);
  options.dump?.("ast", source.name, dumpAst(ast));
  const config = readConfig(ast, options.settings, diags);
  if (diags.failed) return failed();
  const { pid, positional, unsafe, filter = {} } = options;
  const onTasks = looksAtTasks(filter);
  const bound = bindProbes(ast, kernel, { config, pid, onTasks, positional, unsafe, only: options.only }, diags);
  const machine = machines[kernel.arch];
  const parameters = new Parameters(new Map([...(options.named ?? [])].filter(([name]) => name !== "help")));
  const hasUnwindTargets = pid !== undefined || options.childPid !== undefined || onTasks || options.unwound === true;
  const decided: { userStacks?: UserStacks } = {};
  const script = check(
    bound,
    kernel,
    {
      types,
      config,
      incomplete: diags.failed,
      positional,
      parameters,
      declarations: ast.maps,
      unsafe,
      childPid: options.childPid,
      hasUnwindTargets,
      userStacks: () => {
        decided.userStacks ??= chooseUserStacks(config, kernel, options.framePointers);
        return decided.userStacks;
      },
      registerNames: Object.keys(machine.registers),
    },
    diags,
  );
  const { userStacks } = decided;
  if (userStacks !== undefined) warnOfChoice(userStacks, config, diags);
  if (options.named?.has("help") === true) return { ...failed(), parameters: parameters.declared };
  if (diags.failed) return failed();
  options.dump?.("types", source.name, dumpTypes(script));
  const builder = new ObjectBuilder(script, machine, config, kernel, {
    checkHelpers: options.checkHelpers === true,
    filter,
  });
  const programs = script.programs.flatMap((program, index) => {
    if (program.inSessionOf !== undefined) return [];
    const emitted = emitWithin(program, index, builder, kernel, options);
    if (!(emitted instanceof StackOverflowError)) return [emitted];
    const place = emitted.slots[0]?.span ?? program.span;
    const message = `this action keeps ${emitted.size} bytes of values at once, a BPF program has 512`;
    diags.error("stack-overflow", place, message, { hint: "use fewer variables at a time, or maps" });
    return [];
  });
  const trackers = filter.tree === true ? compileTree(builder, kernel, diags) : [];
  const { unwinds } = builder;
  if (unwinds) trackers.push(...compileTrackers(lowerUnwindProcesses(kernel, builder) ?? []));
  if (diags.failed) return failed();
  const object: BpfObject = {
    license: config.license,
    maps: mapSpecs(builder, config),
    programs: [...programs, ...trackers.map(({ spec }) => spec), ...(unwinds ? [compileFileQuestion(kernel)] : [])],
  };
  const unit: Unit = {
    object,
    ...attachedOf(script),
    records: builder.records,
    texts: builder.texts,
    config,
    userAddresses: builder.userAddresses,
    userStacks,
    unwinds,
    trackers: trackers.map(({ tracker }) => tracker),
  };
  options.dump?.("unit", source.name, unitText(unit));
  return { diagnostics: diags.list, suppressed: 0, unit, script };
}

/** What of a script is attached where, and its maps, as data. */
function attachedOf({ programs, targets, maps }: TypedScript): Pick<Unit, "programs" | "attachPoints" | "maps"> {
  const idOf = new Map(targets.map((target, id) => [target, id]));
  return {
    programs: programs.map(({ name, variant, targets: own, inSessionOf }) => ({
      name,
      variant: { key: variant.key, expectedAttachType: variant.expectedAttachType },
      attachPoints: own.flatMap((target) => idOf.get(target) ?? []),
      isInSession: inSessionOf !== undefined,
    })),
    attachPoints: targets.map(({ provider: _provider, ...point }) => point),
    maps: new Map(
      Array.from(maps, ([name, { key, value, emptied, declared }]) => [
        name,
        { name, key: key?.map(shownType), value: shownType(value), emptied, declared },
      ]),
    ),
  };
}

/** A user who wants tables is told that there are none. */
function warnOfChoice({ by, why }: UserStacks, config: Config, diags: Diagnostics): void {
  if (config.ustack_by !== "tables" || by === "tables") return;
  diags.warning("no-unwinding", undefined, `ustack_by = tables has no effect, ustack goes by frame pointers: ${why}`);
}

/** Emits with temporaries on the stack, which is quicker; if they do not fit, with those of a word only. */
function emitWithin(
  program: TypedProgram,
  index: number,
  builder: ObjectBuilder,
  kernel: KernelView,
  options: CompileOptions,
): ProgramSpec | StackOverflowError {
  let overflow: StackOverflowError | undefined;
  const { on_stack_limit: limit } = builder.config;
  for (const stackLimit of [limit, Math.min(limit, 8)]) {
    const undo = builder.mark();
    try {
      return emit(program, index, builder, kernel, options, stackLimit);
    } catch (error) {
      if (!(error instanceof StackOverflowError)) throw error;
      overflow = error;
      undo();
    }
  }
  if (overflow === undefined) throw new Error("internal: nothing was emitted");
  return overflow;
}

function emit(
  program: TypedProgram,
  index: number,
  builder: ObjectBuilder,
  kernel: KernelView,
  options: CompileOptions,
  stackLimit: number,
): ProgramSpec {
  const { dump } = options;
  const functions = lowerWithReturns(program, index, builder, stackLimit).map((lowered): IrFunction => {
    dump?.("ir", `${lowered.name} as lowered`, printIr(lowered));
    const fn = options.optimize === false ? lowered : optimize(lowered, { verify: options.verify });
    dump?.("ir", lowered.name, printIr(fn));
    return fn;
  });
  const { variant } = program;
  const cookieFeature =
    variant.type === "raw_tracepoint" || variant.type === "tracing" ? "rawTracepointCookie" : "attachCookie";
  // begin and end are run without a link that could carry a cookie; one attach point needs none.
  const needsCookie = program.targets.length > 1 && program.targets[0]?.provider.moment === undefined;
  const hasHelper = variant.loadedForEach !== true && needsCookie && kernel.feature(cookieFeature) === "yes";
  const cookie = hasHelper ? "helper" : "constant";
  const emitted = emitFunctions(functions, {
    get cpuV4() {
      return kernel.feature("cpuV4") === "yes";
    },
    cookie,
  });
  const { code, relocations } = emitted;
  dump?.("bytecode", program.name, disassemble(code, { relocations }).join("\n"));
  const { expectedAttachType, attachBtf, loadedForEach } = variant;
  const type = waits(program, kernel) ? "syscall" : variant.type;
  const each = loadedForEach === undefined ? {} : { loadedForEach };
  return { name: program.name, type, expectedAttachType, attachBtf, ...each, ...partsOf(emitted) };
}

const partsOf = ({ code, relocations, spans, functions }: EmittedFunctions) => ({
  code,
  relocations,
  spans,
  functions,
});

/** The programs of --tree. */
function compileTree(builder: ObjectBuilder, kernel: KernelView, diags: Diagnostics): CompiledTracker[] {
  const lowered = lowerProcessTree(kernel, builder);
  if (lowered === undefined) {
    const message = "--tree needs the kernel's events task:task_newtask and sched:sched_process_free";
    diags.error("no-tracefs", undefined, message, { hint: "mount -t tracefs tracefs /sys/kernel/tracing" });
    return [];
  }
  return compileTrackers(lowered);
}

/** What asks for the key of a file that has a table of unwinding. */
function compileFileQuestion(kernel: KernelView): ProgramSpec {
  const members = kernelMembers(kernel);
  if ("missing" in members) throw new Error(`internal: ${members.missing}`);
  const functions = lowerFileQuestion(members).map((fn) => optimize(fn));
  const emitted = emitFunctions(functions, { cpuV4: false, cookie: "constant" });
  const { program: name } = fileQuestion;
  return { name, type: "raw_tracepoint", expectedAttachType: 0, ...partsOf(emitted) };
}

interface CompiledTracker {
  readonly tracker: Tracker;
  readonly spec: ProgramSpec;
}

function compileTrackers(programs: readonly TrackerProgram[]): CompiledTracker[] {
  return programs.map(({ fn, ...place }) => {
    const emitted = emitFunctions([optimize(fn)], { cpuV4: false, cookie: "constant" });
    return {
      tracker: { program: fn.name, ...place },
      spec: {
        name: fn.name,
        type: place.id === undefined ? "raw_tracepoint" : "tracepoint",
        expectedAttachType: 0,
        ...partsOf(emitted),
      },
    };
  });
}

import { readFileSync } from "node:fs";
import { pathOf } from "../base/byte-text.js";
import { BeetraceError } from "../base/errors.js";
import type { Kallsyms, KallsymsEntry } from "../formats/kallsyms.js";
import { TraceableFunctions } from "../formats/traceable-functions.js";
import {
  type FunctionList,
  functionList,
  type KernelFunction,
  KernelFunctions,
  kernelModule,
} from "../language/kernel-functions.js";
import type { Missing } from "../language/kernel-view.js";

/**
 * What ftrace can trace or, where that is locked or not built in, every function of kallsyms. The addresses that ftrace
 * has come with Linux 6.5 (kernel/trace/ftrace.c, available_filter_functions_addrs).
 */
export function readKernelFunctions(
  tracefs: string | undefined,
  kallsyms: () => Kallsyms | Missing,
): KernelFunctions | Missing {
  const forbidden = new Set(readBlacklist());
  for (const file of tracefs === undefined ? [] : ["available_filter_functions_addrs", "available_filter_functions"]) {
    const text = readBytes(`${tracefs}/${file}`);
    if (text !== undefined && text.length > 0) return new KernelFunctions(new TraceableFunctions(text), forbidden);
  }
  const symbols = kallsyms();
  return "missing" in symbols ? symbols : new KernelFunctions(symbolList(symbols), forbidden);
}

/** The functions that a file of the user's lists. Throws BeetraceError if it cannot be read. */
export function listedFunctions(path: string): KernelFunctions {
  let bytes: Buffer;
  try {
    bytes = readFileSync(pathOf(path));
  } catch (cause) {
    throw new BeetraceError(`Could not read functions from ${path}: ${(cause as Error).message}`, {
      cause,
      hint: "--traceable-functions takes a file with a line `FUNCTION` or `FUNCTION [MODULE]` for each",
    });
  }
  return new KernelFunctions(new TraceableFunctions(bytes).check(), new Set(readBlacklist()), true);
}

function symbolList(symbols: Kallsyms): FunctionList {
  const functions = (entries: Iterable<KallsymsEntry>): readonly KernelFunction[] =>
    [...entries].filter(isTraceable).map(functionOf);
  return functionList(
    () => functions(symbols.entries()).map(({ name }) => name),
    (name) => functions(symbols.find(name)),
  );
}

const functionOf = ({ name, module }: KallsymsEntry): KernelFunction => ({
  name,
  module: module ?? kernelModule,
  address: undefined,
});

/** What is no function: padding before functions, and code that BPF, kprobes and ftrace made themselves. */
function isTraceable({ name, type, module }: KallsymsEntry): boolean {
  if (type !== "t" && type !== "T" && type !== "w" && type !== "W") return false;
  if (module === "bpf" || module?.startsWith("__builtin__")) return false;
  return !name.startsWith("__pfx_") && !name.startsWith("__cfi_");
}

/** Lines of `0xSTART-0xEND\tname`: kernel/kprobes.c, kprobe_blacklist_seq_show(), v6.18. */
function readBlacklist(): readonly string[] {
  const text = readBytes("/sys/kernel/debug/kprobes/blacklist")?.toString("latin1") ?? "";
  return text.split("\n").flatMap((line) => line.split("\t")[1] ?? []);
}

function readBytes(path: string): Buffer | undefined {
  try {
    return readFileSync(pathOf(path));
  } catch {
    return undefined;
  }
}

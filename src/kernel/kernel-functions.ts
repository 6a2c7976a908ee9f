import { readFileSync } from "node:fs";
import type { Kallsyms } from "../formats/kallsyms.js";
import type { Missing } from "../language/kernel-view.js";

/**
 * Names that a kprobe may be set on, sorted, each once: what ftrace can trace or, where that is locked or not built in,
 * every function of kallsyms; less those that the kernel forbids, where it says which.
 */
export function readKernelFunctions(
  tracefs: string | undefined,
  kallsyms: () => Kallsyms | Missing,
): readonly string[] | Missing {
  const traceable = tracefs === undefined ? undefined : readText(`${tracefs}/available_filter_functions`);
  const names = new Set<string>();
  if (traceable !== undefined && traceable !== "") {
    for (const line of traceable.split("\n")) {
      // `name` or `name [module]`; places whose name was lost are listed as __ftrace_invalid_address___123.
      const end = line.indexOf(" ");
      const name = end < 0 ? line : line.slice(0, end);
      if (name !== "" && !name.startsWith("__ftrace_invalid_address___")) names.add(name);
    }
  } else {
    const symbols = kallsyms();
    if ("missing" in symbols) return symbols;
    for (const symbol of symbols.entries()) if (isTraceable(symbol)) names.add(symbol.name);
  }
  for (const name of readBlacklist()) names.delete(name);
  return [...names].sort();
}

/** What is no function: padding before functions, and code that BPF, kprobes and ftrace made themselves. */
function isTraceable(symbol: {
  readonly name: string;
  readonly type: string;
  readonly module: string | undefined;
}): boolean {
  if (symbol.type !== "t" && symbol.type !== "T" && symbol.type !== "w" && symbol.type !== "W") return false;
  if (symbol.module === "bpf" || symbol.module?.startsWith("__builtin__")) return false;
  return !symbol.name.startsWith("__pfx_") && !symbol.name.startsWith("__cfi_");
}

/** Lines of `0xSTART-0xEND\tname`: kernel/kprobes.c, kprobe_blacklist_seq_show(), v6.18. */
function readBlacklist(): readonly string[] {
  const text = readText("/sys/kernel/debug/kprobes/blacklist") ?? "";
  return text.split("\n").flatMap((line) => line.split("\t")[1] ?? []);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

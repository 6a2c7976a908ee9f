import { BPF_TRACE_KPROBE_MULTI } from "../../abi/program-type.js";
import { machines } from "../../abi/registers.js";
import { compileGlob, hasWildcard } from "../../base/glob.js";
import { u64 } from "../../types/type.js";
import type { KernelView } from "../kernel-view.js";
import type { Probe, ProgramVariant } from "../probe.js";
import { parseCount, unknownProbe, wrongForm } from "./common.js";

interface Place {
  readonly symbol: string;
  readonly offset: number;
}

/** Names that functions had in older kernels, and what does their work now. */
const renamed: Readonly<Record<string, string>> = {
  sys_read: "ksys_read, or the tracepoint tracepoint:syscalls:sys_enter_read",
  blk_account_io_start: "the tracepoint tracepoint:block:block_io_start",
  blk_account_io_done: "the tracepoint tracepoint:block:block_io_done",
  blk_account_io_completion: "the tracepoint tracepoint:block:block_rq_complete",
};

function adviceFor(symbol: string, { arch }: KernelView): string | undefined {
  const known = Object.hasOwn(renamed, symbol) ? renamed[symbol] : undefined;
  if (known !== undefined) return `Newer kernels have ${known}.`;
  const syscall = /^(?:sys|SyS)_(\w+)$/.exec(symbol)?.[1];
  return syscall === undefined
    ? undefined
    : `Newer kernels have ${machines[arch].syscallPrefix}${syscall}, which is given the registers of the call; the tracepoint tracepoint:syscalls:sys_enter_${syscall} has its arguments.`;
}

function kernelProbe(name: "kprobe" | "kretprobe", alias: string, doc: string): Probe {
  const ret = name === "kretprobe";
  const forms = ret ? [`${name}:FUNCTION`] : [`${name}:FUNCTION`, `${name}:FUNCTION+OFFSET`];
  const base: ProgramVariant = {
    key: name,
    type: "kprobe",
    expectedAttachType: 0,
    context: { kind: "registers", space: "kernel" },
    noArgs: "a kprobe sees registers only: use arg0, arg1 ..., or fentry, which knows the types",
    retval: ret ? u64 : undefined,
    hasArgN: !ret,
    func: "kernel",
    preemptible: false,
  };
  const multi: ProgramVariant = { ...base, key: `${name}:multi`, expectedAttachType: BPF_TRACE_KPROBE_MULTI };
  return {
    name,
    aliases: [alias],
    doc,
    forms,
    bind(parts, context) {
      const [module, written = ""] = parts.length === 2 ? parts : [undefined, parts[0]];
      if (parts.length < 1 || parts.length > 2 || written === "") {
        return wrongForm(context, forms, `'${[name, ...parts].join(":")}' names no function`);
      }
      const [symbol = "", offsetText] = written.split("+");
      const offset = offsetText === undefined ? 0 : Number(parseCount(offsetText) ?? -1n);
      if (offset < 0 || (ret && offset > 0))
        return wrongForm(context, forms, `'${written}' is no function or function+offset`);
      const { kernel } = context;
      if (kernel.feature("kprobe") === "no") {
        const message = "this kernel has no kprobes (CONFIG_KPROBES is off)";
        const hint = "a tracepoint may do: beetrace -l 'tracepoint:*'";
        if (context.missing === "error") context.diags.error("no-kprobes", context.span, message, { hint });
        if (context.missing === "warn") context.diags.warning("no-kprobes", context.span, message, { hint });
        return [];
      }
      const functions = kernel.kernelFunctions();
      const prefix = module === undefined ? name : `${name}:${module}`;
      if ("missing" in functions) {
        if (!hasWildcard(symbol))
          return [
            { name: `${prefix}:${written}`, func: symbol, place: { symbol, offset } satisfies Place, variant: base },
          ];
        context.diags.error(
          "no-function-list",
          context.span,
          `the kernel's functions cannot be listed: ${functions.missing}`,
        );
        return [];
      }
      const matches = compileGlob(symbol);
      // Some functions cannot be traced by ftrace, which the list is about, but by a breakpoint; attaching will tell. Where
      // something better is known, it is said at once.
      const exists = (): boolean =>
        binaryIncludes(functions, symbol) ||
        (adviceFor(symbol, kernel) === undefined && kernel.kernelSymbol(symbol) !== undefined);
      const found = hasWildcard(symbol) ? functions.filter(matches) : exists() ? [symbol] : [];
      if (found.length === 0) {
        return unknownProbe(
          context,
          `there is no kernel function '${symbol}' that can be traced`,
          symbol,
          functions,
          adviceFor(symbol, kernel),
        );
      }
      const many =
        found.length > 1 && kernel.feature("kprobeMulti") === "yes" && kernel.feature("attachCookie") === "yes";
      return found.map((one) => ({
        name: `${prefix}:${one}${offset > 0 ? `+${offset}` : ""}`,
        func: one,
        place: { symbol: one, offset } satisfies Place,
        variant: many && offset === 0 ? multi : base,
      }));
    },
    attach(port, program, variant, items) {
      if (variant.expectedAttachType === BPF_TRACE_KPROBE_MULTI) {
        const symbols = items.map(({ target }) => (target.place as Place).symbol);
        return [
          port.kprobeMulti(
            program,
            { symbols, ret },
            items.map(({ id }) => id),
          ),
        ];
      }
      return items.map(({ target, id }) => port.kprobe(program, { ...(target.place as Place), ret }, id));
    },
    listedByType: ret,
    needs: "kprobe",
    list(kernel) {
      if (kernel.feature("kprobe") === "no") return [];
      const functions = kernel.kernelFunctions();
      return "missing" in functions ? [] : functions.map((symbol) => `${name}:${symbol}`);
    },
  };
}

function binaryIncludes(sorted: readonly string[], wanted: string): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = sorted[middle] ?? "";
    if (at === wanted) return true;
    if (at < wanted) low = middle + 1;
    else high = middle;
  }
  return false;
}

export const kprobe = kernelProbe("kprobe", "k", "Entry of a kernel function, or an instruction inside it.");
export const kretprobe = kernelProbe("kretprobe", "kr", "Return of a kernel function.");

import { BPF_TRACE_KPROBE_MULTI, BPF_TRACE_KPROBE_SESSION } from "../../abi/program-type.js";
import { hasWildcard } from "../../base/glob.js";
import { u64 } from "../../types/type.js";
import { type KernelPlace, placeAs } from "../attach-place.js";
import { entryOf } from "../function-entries.js";
import { type KernelFunction, kernelModule } from "../kernel-functions.js";
import type { KernelView } from "../kernel-view.js";
import type { BindContext, Candidate, Probe, ProgramVariant } from "../probe.js";
import { noMatches, parseCount, wrongForm } from "./common.js";
import { describeFunction } from "./function-types.js";
import { type FunctionPattern, isLoaded, matchingFunctions, noFunction, sayRefused } from "./kernel-function-match.js";
import { successorOf, synonymOf } from "./kernel-function-names.js";

/** Whether a kprobe could be set in a function that ftrace does not know: by a breakpoint. Attaching will tell. */
const mayHaveBreakpoint = (kernel: KernelView, { module, symbol }: FunctionPattern): boolean =>
  (module === undefined || module === kernelModule) &&
  successorOf(symbol, kernel) === undefined &&
  kernel.kernelSymbol(symbol) !== undefined;

/** bpftrace says this, too, of what it then tries, and of what it does not. */
function warnOfUntraceable(context: BindContext, symbol: string): void {
  if (context.missing === "ignore") return;
  context.diags.warning(
    "not-traceable",
    context.span,
    `${symbol} is not traceable (either non-existing, inlined, or marked as "notrace"); attaching to it will likely fail`,
  );
}

/** A kprobe sees them in registers: arg0 is the first. */
function describeArguments(full: string, kernel: KernelView): readonly string[] {
  const [symbol = "", module] = full.split(":").slice(1).reverse();
  const functions = kernel.kernelFunctions();
  const [found] = "missing" in functions ? [] : functions.find(symbol);
  return describeFunction(kernel, module ?? found?.module ?? kernelModule, symbol, false);
}

function kernelProbe(name: "kprobe" | "kretprobe", alias: string, doc: string): Probe {
  const ret = name === "kretprobe";
  const forms = ret
    ? [`${name}:FUNCTION`, `${name}:MODULE:FUNCTION`]
    : [`${name}:FUNCTION[+OFFSET]`, `${name}:MODULE:FUNCTION[+OFFSET]`, `${name}:ADDRESS`];
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
  const session: ProgramVariant = { ...base, key: `${name}:session`, expectedAttachType: BPF_TRACE_KPROBE_SESSION };
  const multi: ProgramVariant = { ...base, key: `${name}:multi`, expectedAttachType: BPF_TRACE_KPROBE_MULTI };

  const bindAddress = (address: bigint, context: BindContext): readonly Candidate[] => {
    if (!context.unsafe) {
      context.diags.error("unsafe", context.span, "Probing by address requires --unsafe", {
        hint: "a probe in the middle of an instruction takes the machine down; beetrace --unsafe ... if you mean it",
      });
      return [];
    }
    return [
      {
        name: `${name}:${address}`,
        func: `${address}`,
        place: { kind: "kernel", symbol: "", offset: 0, address },
        variant: base,
      },
    ];
  };

  /** One function, or all that are called so: static ones in several files. */
  const bindOne = (
    pattern: FunctionPattern,
    offset: number,
    found: readonly KernelFunction[],
    label: string,
  ): readonly Candidate[] => {
    const { module, symbol } = pattern;
    const one = (address: bigint | undefined): Candidate => ({
      name: label,
      func: symbol,
      place: {
        kind: "kernel",
        symbol: qualified(module, symbol),
        offset,
        address,
        inFtrace: found.length === 1 && offset === 0 ? symbol : undefined,
      },
      variant: base,
    });
    const addresses = found.flatMap(({ address }) => address ?? []);
    // By its name only one of them would be found, or none (since 6.7).
    return found.length > 1 && addresses.length === found.length && offset === 0
      ? addresses.map(one)
      : [one(undefined)];
  };

  return {
    name,
    aliases: [alias],
    doc,
    forms,
    // Since 6.14 the returns of links for many functions come by the function graph tracer (kernel/trace/fprobe.c).
    runsLastFirst: (variant, kernel) =>
      !ret || (variant.key === multi.key && kernel.kernelSymbol("fprobe_return") !== undefined),
    ...(ret
      ? {}
      : {
          session: {
            feature: "kprobeSession",
            returns: "kretprobe",
            variant: session,
            isReturn: "bpf_session_is_return",
            key: (place) => {
              const { inFtrace, address } = placeAs(place, "kernel");
              return address === undefined ? inFtrace : `${address}`;
            },
          },
        }),
    bind(parts, context) {
      const [module, written = ""] = parts.length === 2 ? parts : [undefined, parts[0]];
      if (parts.length < 1 || parts.length > 2 || written === "" || module === "") {
        return wrongForm(context, forms, `'${[name, ...parts].join(":")}' names no function`);
      }
      const [symbol = "", offsetText] = written.split("+");
      const offset = offsetText === undefined ? 0 : Number(parseCount(offsetText) ?? -1n);
      if (offset < 0 || (ret && offset > 0))
        return wrongForm(context, forms, `'${written}' is no function or function+offset`);
      const { kernel } = context;
      if (kernel.feature("kprobe") === "no") {
        const message = "this kernel has no kprobes (CONFIG_KPROBES is off)";
        return noMatches(context, message, "a tracepoint may do: beetrace -l 'tracepoint:*'");
      }
      const address = module === undefined && !ret ? parseCount(written) : undefined;
      if (address !== undefined) return bindAddress(address, context);
      const pattern = { module, symbol };
      const label = [name, ...parts.slice(0, -1), offset > 0 ? `${symbol}+${offset}` : symbol].join(":");
      if (!isLoaded(pattern, label, context)) return [];
      const functions = kernel.kernelFunctions();
      const isPattern = hasWildcard(symbol) || (module !== undefined && hasWildcard(module));
      if ("missing" in functions) {
        if (!isPattern) return bindOne(pattern, offset, [], label);
        const message = `the kernel's functions cannot be listed: ${functions.missing}`;
        context.diags.error("no-function-list", context.span, message);
        return [];
      }
      const found = matchingFunctions(functions, pattern);
      if (!isPattern) {
        if (found.length > 0) return bindOne(pattern, offset, found, label);
        const synonym = synonymOf(symbol, context.beside, functions);
        if (synonym !== undefined) {
          if (context.missing !== "ignore")
            context.diags.warning(
              "other-name",
              context.span,
              `${label} is left out: this kernel has the function as ${synonym}`,
            );
          return [];
        }
        warnOfUntraceable(context, symbol);
        if (
          functions.refusal(symbol) === undefined &&
          (context.unsafe || (!functions.exclusive && mayHaveBreakpoint(kernel, pattern)))
        )
          return bindOne(pattern, offset, [], label);
        return noFunction(functions, pattern, context, successorOf(symbol, kernel));
      }
      sayRefused(functions, pattern, context);
      if (found.length === 0) return noFunction(functions, pattern, context);
      return bindMany(pattern, offset, found, context);
    },
    attach(port, program, variant, items) {
      const places = items.map(({ target }) => placeAs(target.place, "kernel"));
      if (variant.expectedAttachType === BPF_TRACE_KPROBE_SESSION)
        return port.kprobeMulti(program, places.map(inFtrace), "both", items);
      if (variant.expectedAttachType === BPF_TRACE_KPROBE_MULTI)
        return port.kprobeMulti(program, places, ret ? "return" : "entry", items);
      return port.each(items, ({ target, id }) =>
        port.kprobe(program, { ...placeAs(target.place, "kernel"), ret }, id),
      );
    },
    listedByType: ret,
    needs: "kprobe",
    ...(ret ? {} : { describe: describeArguments }),
    list(kernel, [module, symbol]) {
      if (kernel.feature("kprobe") === "no") return [];
      const functions = kernel.kernelFunctions();
      if ("missing" in functions) return [];
      if (symbol === undefined) return functions.names.map((one) => `${name}:${one}`);
      return matchingFunctions(functions, { module, symbol: symbol || "*" }).map(
        (fn) => `${name}:${fn.module}:${fn.name}`,
      );
    },
  };

  /** All functions of a wildcard: in one link, if the kernel has such links and each can be told from the others. */
  function bindMany(
    { module }: FunctionPattern,
    offset: number,
    found: readonly KernelFunction[],
    context: BindContext,
  ): readonly Candidate[] {
    const { kernel } = context;
    const many =
      found.length > 1 &&
      offset === 0 &&
      !context.facts.overrides &&
      kernel.feature("kprobeMulti") === "yes" &&
      kernel.feature("attachCookie") === "yes";
    const byName = new Map(found.map((fn) => [fn.name, fn] as const));
    // By its name the kernel finds one of those that share it, so that addresses are needed then.
    const byAddress = byName.size < found.length;
    const addressOf = ({ name, address }: KernelFunction): bigint | undefined =>
      !byAddress ? undefined : many || address === undefined ? address : entryOf(kernel, name, address);
    const addresses = found.map(addressOf);
    const areKnown = !byAddress || addresses.every((address) => address !== undefined);
    if (!areKnown) {
      context.diags.warning(
        "functions-left-out",
        context.span,
        `${found.length - byName.size} functions are left out because others have the same name, and this kernel does not say their addresses`,
        { hint: "Linux 6.5 and later do, to root" },
      );
    }
    return (areKnown ? found : [...byName.values()]).map((fn, i): Candidate => {
      const at = module === undefined ? fn.name : `${fn.module}:${fn.name}`;
      const symbol = many ? fn.name : qualified(module === undefined ? undefined : fn.module, fn.name);
      return {
        name: `${name}:${at}${offset > 0 ? `+${offset}` : ""}`,
        func: fn.name,
        place: {
          kind: "kernel",
          symbol,
          offset,
          address: areKnown ? addresses[i] : undefined,
          isFtraceAddress: byAddress && many,
          inFtrace: many ? fn.name : undefined,
        },
        variant: many ? multi : base,
      };
    });
  }
}

/** As a link for many functions takes it: without its module's name. */
const inFtrace = (place: KernelPlace): KernelPlace => ({ ...place, symbol: place.inFtrace ?? place.symbol });

/** A function as the kernel finds it by name: of a module with the module's name. */
const qualified = (module: string | undefined, symbol: string): string =>
  module === undefined || module === kernelModule || hasWildcard(module) ? symbol : `${module}:${symbol}`;

export const kprobe = kernelProbe(
  "kprobe",
  "k",
  "Entry of a function of the kernel or a module, or an instruction inside it; at an address only with --unsafe.",
);
export const kretprobe = kernelProbe("kretprobe", "kr", "Return of a function of the kernel or a module.");

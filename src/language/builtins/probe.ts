// What fired, and with what: probe, func, arguments, registers.
import type { UsdtArgument } from "../../formats/usdt-arguments.js";
import type { Value } from "../../ir/ir.js";
import { i64, none, pointer, type Type, u8, u16, u32, u64 } from "../../types/type.js";
import type { Builtin, CheckContext } from "../builtin.js";
import type { Lowering } from "../lowering.js";
import { builtin, literalText, notHere, valueArg } from "./define.js";
import { usdtArgument } from "./usdt-argument.js";

/** Names are numbered from 1: 0 is what an entry of a map has that was never set. */
const nameNumber = (l: Lowering): Value => l.b.bin("add", l.targetId(), l.b.const(1));

const probe = builtin({
  name: "probe",
  aliases: ["name"],
  bare: true,
  params: [],
  type: { kind: "probe" },
  doc: "Full name of the attach point that fired.",
  value: (l) => nameNumber(l),
});

const func: Builtin = {
  name: "func",
  bare: true,
  params: [],
  doc: "Name of the traced function.",
  probes: "kprobe, kretprobe, fentry, fexit, uprobe, uretprobe",
  result: (context) => {
    if (context.variant.func === undefined)
      notHere(context, "func", "it is the traced function's name; probe says which probe fired");
    return { kind: "func" };
  },
  value: (l) => nameNumber(l),
};

/** The address of the traced function of the kernel, for maps that hold addresses: `@f = ksym(0)` and `@f = func`. */
export const funcAddress: Builtin = {
  name: "func",
  doc: func.doc,
  result: () => ({ kind: "ksym" }),
  value: (l) => l.b.call("get_func_ip", [l.b.ctx()]),
};

const retval: Builtin = {
  name: "retval",
  bare: true,
  params: [],
  uses: "argN",
  doc: "What the traced function returned.",
  probes: "kretprobe, uretprobe, fexit",
  result: (context) => {
    if (context.variant.retval === undefined)
      notHere(
        context,
        "retval",
        "kretprobe, uretprobe and fexit see a result, if there is one; a syscall's is args.ret of its sys_exit tracepoint",
      );
    return context.variant.retval ?? u64;
  },
  rewrite: ({ variant, span }, _args, type) =>
    variant.retvalSource === undefined
      ? undefined
      : { kind: "arg-field", field: { name: "retval", type, source: variant.retvalSource }, type, span },
  value: (l) => l.b.load(8, false, l.b.ctx(), register(l, "retval")),
};

/** Numbers that USDT probes give their arguments end here: a note has at most some hundred bytes. */
const argumentCount = 256;
/** Of functions nobody asks for more by number, and only these are in the table. */
const listedArguments = 10;

/** Registers that function arguments come in, as lowering.registerOffset names them: arg0 ... arg5 (arg7 on arm64). */
const argN = (n: number): Builtin => ({
  name: `arg${n}`,
  bare: true,
  uses: "argN",
  doc: `Argument ${n} of the traced function, counted from 0, as it lies in its register.`,
  probes: "kprobe, uprobe, usdt, rawtracepoint",
  argument: n,
  result: (context) => {
    const { variant } = context;
    if (variant.numbered !== undefined) return numberedType(context, n, variant.numbered[n]);
    if (!variant.hasArgN) {
      notHere(
        context,
        `arg${n}`,
        variant.retval !== undefined
          ? "arguments are gone when a function returns; keep them in a map at its entry: @arg[tid] = arg0"
          : variant.args !== undefined
            ? "use args.NAME; beetrace -lv shows the names"
            : undefined,
      );
    }
    return u64;
  },
  value: (l) => {
    if (l.variant.numbered !== undefined) {
      const argument = l.variant.numbered[n];
      // The choice of probes has told that this one lacks it.
      return argument === undefined ? l.b.const(0) : usdtArgument(l, argument);
    }
    if (l.variant.context.kind === "slots") return l.b.load(8, false, l.b.ctx(), 8 * n);
    const offset = l.registerOffset(`arg${n}`);
    if (offset !== undefined) return l.b.load(8, false, l.b.ctx(), offset);
    return stackArgument(l, n);
  },
});

/** As bpftrace has them: signed, whatever the probe says. */
function numberedType(context: CheckContext, n: number, argument: UsdtArgument | undefined): Type {
  if (argument?.operand.kind === "unknown") {
    const { probeName, span } = context;
    const message = `arg${n} of ${probeName} is '${argument.text}', which cannot be read: ${argument.operand.reason}`;
    context.diags.error("unreadable-argument", span, message);
  }
  return i64;
}

/** Arguments past the registers lie above the return address: System V x86-64 psABI 3.2.3, AAPCS64 6.4. */
function stackArgument(l: Lowering, n: number) {
  const inRegisters = l.kernel.arch === "x86_64" ? 6 : 8;
  const stack = l.b.load(8, false, l.b.ctx(), register(l, "sp"));
  const skipReturn = l.kernel.arch === "x86_64" ? 8 : 0;
  const space = l.variant.context.kind === "registers" ? l.variant.context.space : "kernel";
  return l.read({ base: stack, offset: skipReturn + 8 * (n - inRegisters), space }, u64);
}

function register(l: Lowering, name: string): number {
  const offset = l.registerOffset(name);
  if (offset === undefined) throw new Error(`internal: no register ${name}`);
  return offset;
}

const reg: Builtin = {
  name: "reg",
  params: [{ name: "name", kind: "literal-string" }],
  uses: "argN",
  doc: "Value of a register, by its name in struct pt_regs: ip, sp, ax, di ...",
  probes: "kprobe, kretprobe, uprobe, uretprobe, profile, interval, software, hardware",
  result: (context, args) => {
    if (context.variant.context.kind !== "registers")
      notHere(context, "reg()", "only function and sampling probes see registers");
    const name = literalText(args, 0);
    const known = context.registerNames();
    if (!known.includes(name)) {
      context.diags.error("unknown-register", context.span, `there is no register '${name}'`, {
        hint: `registers: ${known.join(", ")}`,
      });
    }
    return u64;
  },
  value: (l, args) => l.b.load(8, false, l.b.ctx(), register(l, literalText(args, 0))),
};

const args: Builtin = {
  name: "args",
  bare: true,
  uses: "args",
  doc: "The probe's arguments: args.NAME.",
  probes: "tracepoint, rawtracepoint, fentry, fexit, uprobe (of files with debugging information)",
  result: (context) => {
    const { variant } = context;
    if (variant.args === undefined) notHere(context, "args", variant.noArgs);
    return { kind: "record", name: `${context.probeName} args`, size: 0, members: () => [] };
  },
  rewrite: (context, _args, type) => ({ kind: "args", type, span: context.span }),
};

const integersBySize = new Map([
  [1, u8],
  [2, u16],
  [4, u32],
  [8, u64],
] as const);

const uaddr: Builtin = {
  name: "uaddr",
  params: [{ name: "symbol", kind: "literal-string" }],
  uses: "argN",
  doc: "Address of a variable or function of the traced file, as a pointer to an unsigned integer of its size. Where the file is loaded at another address in each process, the running process's is computed.",
  probes: "uprobe, uretprobe",
  result: (context, argList) => {
    const symbol = context.userSymbol(literalText(argList, 0));
    if ("missing" in symbol) {
      context.diags.error("unknown-symbol", context.span, symbol.missing);
      return pointer(u64, "user");
    }
    return pointer(integersBySize.get(symbol.size as 1) ?? u64, "user");
  },
  rewrite: (context, argList, type) => {
    const symbol = context.userSymbol(literalText(argList, 0));
    if ("missing" in symbol) return undefined;
    const { span } = context;
    if (!symbol.relocated) return { kind: "const", value: symbol.address, type, span };
    // The probe's own address at run time minus its address in the file is where the file was loaded.
    const here = { kind: "builtin", builtin: ownAddress, args: [], type: u64, span } as const;
    const distance = {
      kind: "const",
      value: BigInt.asUintN(64, symbol.address - symbol.probeAddress),
      type: u64,
      span,
    } as const;
    return { kind: "arithmetic", op: "add", left: here, right: distance, type, span };
  },
};

/** Address of the traced function in the running process; bpf_get_func_ip, for uprobes since 6.7. */
const ownAddress = builtin({
  name: "(function address)",
  type: u64,
  doc: "Used by uaddr.",
  value: (l) =>
    l.variant.retval === undefined
      ? l.b.load(8, false, l.b.ctx(), register(l, "ip"))
      : l.b.call("get_func_ip", [l.b.ctx()]),
});

const kaddr: Builtin = {
  name: "kaddr",
  params: [{ name: "symbol", kind: "literal-string" }],
  doc: "Address of a symbol of the kernel, as a pointer to a 64-bit unsigned integer.",
  result: (context, argList) => {
    const name = literalText(argList, 0);
    if (context.kernel.kernelSymbol(name) === undefined) {
      context.diags.error("unknown-symbol", context.span, `Failed to resolve kernel symbol: ${name}`, {
        hint: "grep it in /proc/kallsyms; addresses of zero mean that kernel.kptr_restrict hides them",
      });
    }
    return pointer(u64, "kernel");
  },
  rewrite: (context, argList, type) => {
    const value = context.kernel.kernelSymbol(literalText(argList, 0));
    return value === undefined ? undefined : { kind: "const", value, type, span: context.span };
  },
};

const override: Builtin = {
  name: "override",
  overrides: true,
  params: [{ name: "result", kind: "int" }],
  uses: "argN",
  unsafe: true,
  doc: "The traced function is not run and returns this instead. The kernel allows it for functions marked ALLOW_ERROR_INJECTION (CONFIG_BPF_KPROBE_OVERRIDE).",
  since: "4.16",
  probes: "kprobe",
  result: (context) => {
    const { variant } = context;
    if (variant.func !== "kernel" || !variant.hasArgN)
      notHere(context, "override()", "only a kprobe can keep a function from running");
    else if (context.kernel.feature("overrideReturn") === "no") {
      context.diags.error(
        "no-override",
        context.span,
        "this kernel cannot override results (CONFIG_BPF_KPROBE_OVERRIDE is off)",
      );
    }
    return none;
  },
  value: (l, args) => l.b.call("override_return", [l.b.ctx(), l.value(valueArg(args, 0))]),
};

/** `arg10` ... `arg255`: not in the table, which would consist of them. */
export function furtherArgument(name: string): Builtin | undefined {
  const n = Number(/^arg([1-9]\d{1,2})$/.exec(name)?.[1] ?? argumentCount);
  return n < argumentCount ? argN(n) : undefined;
}

export const probeBuiltins: readonly Builtin[] = [
  probe,
  func,
  retval,
  ...Array.from({ length: listedArguments }, (_, n) => argN(n)),
  reg,
  args,
  uaddr,
  kaddr,
  override,
];

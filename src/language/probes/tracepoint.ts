import { BPF_TRACE_RAW_TP } from "../../abi/program-type.js";
import { compileGlob, hasWildcard } from "../../base/glob.js";
import { isCommonField, type TracepointField, type TracepointFormat } from "../../formats/tracepoint-format.js";
import { i64, int, pointer, u8, u32, u64 } from "../../types/type.js";
import { placeAs } from "../attach-place.js";
import { cTypeToType } from "../c-type.js";
import type { KernelView } from "../kernel-view.js";
import type { BindContext, Candidate, Probe, ProgramVariant } from "../probe.js";
import type { ArgField } from "../typed.js";
import { unknownProbe, wrongForm } from "./common.js";

const forms = ["tracepoint:CATEGORY:EVENT"];

/**
 * Attached by perf_event_open, an event's record is the program's context. Where the action does not look at the record
 * a raw tracepoint does: it costs less per event, and much less to detach (closing a perf tracepoint waits for an RCU
 * grace period, 72 ms each on 6.18). System calls always go that way if the kernel has BTF: their arguments are in
 * the registers, and one program serves any number of them. Kernels that preempt such programs lose events in them;
 * there everything goes by records, and system calls by those of raw_syscalls: the program of a single call's event runs
 * with preemption on there, too (7.2, kernel/trace/trace_syscalls.c), and loses as many.
 */
export const tracepoint: Probe = {
  name: "tracepoint",
  aliases: ["t"],
  doc: "A static event of the kernel, with arguments as tracefs describes them.",
  forms,
  bind(parts, context) {
    if (parts.length !== 2 || parts.some((part) => part === "")) {
      return wrongForm(context, forms, `'${["tracepoint", ...parts].join(":")}' is no tracepoint`);
    }
    const [category = "", event = ""] = parts;
    if (!hasWildcard(category) && !hasWildcard(event)) {
      const format = context.kernel.tracepoint(category, event);
      if (format !== undefined) return [candidate(category, event, format, context)];
    }
    const known = context.kernel.tracepoints();
    if ("missing" in known) {
      context.diags.error("no-tracefs", context.span, `tracepoints cannot be listed: ${known.missing}`);
      return [];
    }
    const matches = compileGlob(`${category}:${event}`);
    const found = known
      .filter((name) => matches(name))
      .flatMap((name) => {
        const [foundCategory = "", foundEvent = ""] = name.split(":");
        const format = context.kernel.tracepoint(foundCategory, foundEvent);
        return format === undefined ? [] : [candidate(foundCategory, foundEvent, format, context)];
      });
    if (found.length > 0) return found;
    const text = `tracepoint:${category}:${event}`;
    const inCategory = compileGlob(`${category}:*`);
    const listed = known.some(inCategory) ? `tracepoint:${category}:*` : "tracepoint:*";
    return unknownProbe(
      context,
      `there is no tracepoint '${text}'`,
      `${category}:${event}`,
      known,
      `beetrace -l '${listed}' lists what there is.`,
    );
  },
  attach(port, program, _variant, items) {
    const first = items[0];
    if (first === undefined) return [];
    const { place: shared } = first.target;
    // One attachment serves every system call of the program.
    if (shared.kind === "syscall") {
      const { event, recordId } = shared;
      if (recordId === undefined) return [port.rawTracepoint(program, { name: event }, first.id)];
      return [port.tracepoint(program, { category: "raw_syscalls", event, id: recordId }, first.id)];
    }
    return port.each(items, ({ target, id }) => {
      const { place } = target;
      if (place.kind === "raw-tracepoint") return port.rawTracepoint(program, { name: place.event }, id);
      return port.tracepoint(program, placeAs(place, "tracepoint"), id);
    });
  },
  list(kernel) {
    const known = kernel.tracepoints();
    return "missing" in known ? [] : known.map((name) => `tracepoint:${name}`);
  },
  describe(name, kernel) {
    const [, category = "", event = ""] = name.split(":");
    const format = kernel.tracepoint(category, event);
    return format === undefined
      ? []
      : format.fields.filter((field) => !isCommonField(field)).map((field) => field.declaration);
  },
};

function candidate(category: string, event: string, format: TracepointFormat, context: BindContext): Candidate {
  const name = `tracepoint:${category}:${event}`;
  const { kernel, facts } = context;
  const raw = kernel.feature("rawTracepointUnpreempted") === "yes";
  const syscall = category === "syscalls" ? /^sys_(enter|exit)_(.+)$/.exec(event) : null;
  if (syscall !== null && !(raw && facts.usesKernelStack) && kernel.feature("btfRawTracepoint") === "yes") {
    const exit = syscall[1] === "exit";
    const number = kernel.syscallNumber(syscall[2] ?? "");
    const record = raw ? undefined : kernel.tracepoint("raw_syscalls", exit ? "sys_exit" : "sys_enter");
    if (number !== undefined && (raw || record !== undefined))
      return syscallCandidate({
        name,
        event,
        format,
        exit,
        number,
        kernel,
        usesArgs: facts.usesArgs,
        recordId: record?.id,
      });
  }
  if (raw && syscall === null && !facts.usesArgs && !facts.usesKernelStack && category !== "ftrace") {
    if (kernel.rawTracepoints().includes(event))
      return { name, func: event, place: { kind: "raw-tracepoint", event }, variant: rawVariant };
  }
  const args = format.fields.map((field) => recordField(field, category, kernel));
  const variant: ProgramVariant = {
    // Programs can be shared by events whose records look the same.
    key: facts.usesArgs
      ? `record:${format.fields.map((f) => `${f.name},${f.cType},${f.offset},${f.size}`).join(";")}`
      : "record",
    type: "tracepoint",
    expectedAttachType: 0,
    context: { kind: "record" },
    args,
    hasArgN: false,
    preemptible: false,
  };
  return { name, func: event, place: { kind: "tracepoint", category, event, id: format.id }, variant };
}

const rawVariant: ProgramVariant = {
  key: "raw-for-tracepoint",
  type: "raw_tracepoint",
  expectedAttachType: 0,
  context: { kind: "none" },
  args: [],
  hasArgN: false,
  preemptible: false,
};

interface SyscallEvent {
  readonly name: string;
  readonly event: string;
  readonly format: TracepointFormat;
  readonly exit: boolean;
  readonly number: number;
  readonly kernel: KernelView;
  readonly usesArgs: boolean;
  /** Id of the record to read; undefined if the raw tracepoint will do. */
  readonly recordId: number | undefined;
}

function syscallCandidate(syscall: SyscallEvent): Candidate {
  const { name, event, format, exit, number, kernel, usesArgs, recordId } = syscall;
  const standIn = exit ? "sys_exit" : "sys_enter";
  const args = format.fields
    .filter((field) => !isCommonField(field))
    .map((field, index): ArgField => {
      if (field.name === "__syscall_nr")
        return { name: field.name, type: int(4, true), source: { kind: "syscall-number" } };
      if (exit) return { name: field.name, type: i64, source: { kind: "syscall-result" } };
      return {
        name: field.name,
        type: syscallArgType(field, usesArgs ? kernel : undefined),
        source: { kind: "syscall-arg", index: index - 1 },
      };
    });
  const variant: ProgramVariant = {
    key: usesArgs ? `${standIn}:${args.map((a) => `${a.name},${shapeOf(a.type)}`).join(";")}` : standIn,
    ...(recordId === undefined
      ? {
          type: "tracing",
          expectedAttachType: BPF_TRACE_RAW_TP,
          attachBtf: { name: `btf_trace_${standIn}`, kind: "typedef" },
        }
      : { type: "tracepoint", expectedAttachType: 0 }),
    // Filled in when all targets of the program are known.
    context: {
      kind: "syscall",
      exit,
      form: recordId === undefined ? "raw" : "record",
      numbers: new Map([[number, 0]]),
    },
    args,
    hasArgN: false,
    preemptible: false,
  };
  return {
    name,
    func: event,
    place: { kind: "syscall", event: standIn, recordId },
    variant,
  };
}

/** What makes a difference to a program that uses the argument. */
const shapeOf = (type: ArgField["type"]): string =>
  type.kind === "pointer" && type.to.kind === "record" ? type.to.name : type.kind;

/** The kernel stores each argument as unsigned long, whatever its C type. */
function syscallArgType(field: TracepointField, kernel: KernelView | undefined): ArgField["type"] {
  const type = cTypeToType(field.cType, "user", kernel);
  return type.kind === "pointer" ? type : field.signed ? i64 : u64;
}

/** The kernel keeps its registers where these are: tp_prog_is_valid_access(), kernel/trace/bpf_trace.c. */
const hiddenField = {
  kind: "hidden",
  message: "BPF does not support accessing common tracepoint fields",
  hint: "pid, tid, comm and cpu tell of the current thread",
} as const;

function recordField(field: TracepointField, category: string, kernel: KernelView): ArgField {
  if (isCommonField(field)) return { name: field.name, type: u64, source: hiddenField };
  const space = category === "syscalls" ? "user" : "kernel";
  const { name, offset } = field;
  if (field.kind === "data-loc" || field.kind === "rel-loc") {
    const of = cTypeToType(field.cType, "kernel", kernel);
    return {
      name,
      type: pointer(of, "kernel"),
      source: { kind: "data-loc", offset, relative: field.kind === "rel-loc" },
    };
  }
  const source = { kind: "context", offset } as const;
  if (field.kind === "array") {
    const count = field.arrayCount ?? field.size;
    if (/^(?:unsigned |signed )?char$/.test(field.cType) && !field.cType.startsWith("unsigned"))
      return { name, type: { kind: "string", size: field.size }, source };
    const element = cTypeToType(field.cType, space, kernel);
    const of = element.kind === "int" || element.kind === "pointer" ? element : u8;
    return {
      name,
      type: {
        kind: "array",
        of:
          count > 0 && field.size % count === 0
            ? element.kind === "int"
              ? int(sizeFor(field.size / count), element.signed)
              : of
            : u8,
        count,
      },
      source,
    };
  }
  const type = cTypeToType(field.cType, space, kernel);
  if (type.kind === "pointer") return { name, type, source };
  if (type.kind === "enum" && type.size === field.size) return { name, type, source };
  if (field.size === 1 && field.cType === "bool") return { name, type: { kind: "bool" }, source };
  if (field.size === 1 || field.size === 2 || field.size === 4 || field.size === 8)
    return { name, type: int(field.size, field.signed), source };
  if (type.kind === "record") return { name, type, source };
  return {
    name,
    type: {
      kind: "array",
      of: field.size % 4 === 0 ? u32 : u8,
      count: field.size % 4 === 0 ? field.size / 4 : field.size,
    },
    source,
  };
}

const sizeFor = (size: number): 1 | 2 | 4 | 8 => (size === 1 || size === 2 || size === 8 ? size : 4);

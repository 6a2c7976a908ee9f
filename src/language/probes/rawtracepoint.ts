import { BPF_TRACE_RAW_TP } from "../../abi/program-type.js";
import type { BtfId } from "../../base/branded.js";
import { compileGlob, hasWildcard } from "../../base/glob.js";
import type { Btf } from "../../formats/btf.js";
import { typeText } from "../../formats/btf-c.js";
import { typeFromBtf } from "../../types/from-btf.js";
import type { KernelView } from "../kernel-view.js";
import type { Candidate, Probe } from "../probe.js";
import type { ArgField } from "../typed.js";
import { unknownProbe, wrongForm } from "./common.js";

const forms = ["rawtracepoint:EVENT", "rawtracepoint:MODULE:EVENT"];

interface Place {
  readonly event: string;
}

export const rawtracepoint: Probe = {
  name: "rawtracepoint",
  aliases: ["rt"],
  doc: "A static event of the kernel with the arguments that its call site passes.",
  forms,
  bind(parts, context) {
    if (parts.length < 1 || parts.length > 2 || parts.some((part) => part === "")) {
      return wrongForm(context, forms, `'${["rawtracepoint", ...parts].join(":")}' is no raw tracepoint`);
    }
    const wanted = parts[parts.length - 1] ?? "";
    const known = context.kernel.rawTracepoints();
    const matches = compileGlob(wanted);
    // Without BTF they cannot be listed; attaching will tell whether there is one.
    const found = known.length === 0 && !hasWildcard(wanted) ? [wanted] : known.filter(matches);
    if (found.length === 0) {
      return unknownProbe(
        context,
        `there is no raw tracepoint '${wanted}'`,
        wanted,
        known,
        "beetrace -l 'rawtracepoint:*' lists what there is.",
      );
    }
    return found.map((event): Candidate => {
      const args = argsOf(event, context.kernel);
      const shape =
        context.facts.usesArgs && args !== undefined ? args.map((a) => `${a.name},${typeKey(a)}`).join(";") : "";
      const typed = context.facts.usesTypedArgs && context.kernel.feature("btfRawTracepoint") === "yes";
      return {
        name: `rawtracepoint:vmlinux:${event}`,
        func: event,
        place: { event } satisfies Place,
        variant: {
          ...(typed
            ? {
                key: `typed:${event}`,
                type: "tracing" as const,
                expectedAttachType: BPF_TRACE_RAW_TP,
                attachBtf: { name: `btf_trace_${event}`, kind: "typedef" as const },
              }
            : { key: `raw:${shape}`, type: "raw_tracepoint" as const, expectedAttachType: 0 }),
          context: { kind: "slots" },
          args,
          argsAreValues: true,
          noArgs: "this kernel has no BTF that would describe them; arg0, arg1 ... work without",
          hasArgN: true,
          preemptible: false,
        },
      };
    });
  },
  attach: (port, program, _variant, items) =>
    port.each(items, ({ target, id }) => port.rawTracepoint(program, { name: (target.place as Place).event }, id)),
  describe(name, kernel) {
    const btf = kernel.btf();
    if ("missing" in btf) return [];
    const params = paramsOf(name.slice(name.lastIndexOf(":") + 1), btf) ?? [];
    return params.map((param) => `${typeText(btf, param.type)} ${param.name}`);
  },
  list: (kernel) => kernel.rawTracepoints().map((event) => `rawtracepoint:vmlinux:${event}`),
};

const typeKey = (field: ArgField): string =>
  field.type.kind === "pointer" && field.type.to.kind === "record" ? field.type.to.name : field.type.kind;

function argsOf(event: string, kernel: KernelView): readonly ArgField[] | undefined {
  const btf = kernel.btf();
  if ("missing" in btf) return undefined;
  return paramsOf(event, btf)?.map(({ name, type }, index) => ({
    name,
    type: typeFromBtf(btf, type, "kernel"),
    source: { kind: "slot", index },
  }));
}

/** From `typedef void (*btf_trace_EVENT)(void *, ...)`; the first parameter is the tracepoint's own (include/trace/bpf_probe.h). */
function paramsOf(event: string, btf: Btf): readonly { readonly name: string; readonly type: BtfId }[] | undefined {
  const id = btf.find(`btf_trace_${event}`, "typedef");
  if (id === undefined) return undefined;
  const target = btf.strip(id).type;
  const proto = target.kind === "pointer" ? btf.strip(target.to).type : undefined;
  if (proto?.kind !== "func-proto") return undefined;
  // The typedef has no parameter names; those are in the trampoline of the same event.
  const traceFunc = btf.find(`__traceiter_${event}`, "func") ?? btf.find(`__bpf_trace_${event}`, "func");
  const func = traceFunc === undefined ? undefined : btf.type(traceFunc);
  const names = func?.kind === "func" ? btf.type(func.proto) : undefined;
  return proto.params.slice(1).map((param, index) => {
    const named = names?.kind === "func-proto" ? names.params[index + 1]?.name : undefined;
    return { name: param.name || named || `arg${index}`, type: param.type };
  });
}

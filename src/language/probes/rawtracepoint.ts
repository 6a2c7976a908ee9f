import { BPF_TRACE_RAW_TP } from "../../abi/program-type.js";
import type { BtfId } from "../../base/branded.js";
import { compileGlob, hasWildcard } from "../../base/glob.js";
import type { Btf } from "../../formats/btf.js";
import { typeText } from "../../formats/btf-c.js";
import { typeFromBtf } from "../../types/from-btf.js";
import { placeAs } from "../attach-place.js";
import { kernelModule } from "../kernel-functions.js";
import type { KernelView } from "../kernel-view.js";
import type { Candidate, Probe } from "../probe.js";
import type { ArgField } from "../typed.js";
import { unknownProbe, wrongForm } from "./common.js";

const forms = ["rawtracepoint:EVENT", "rawtracepoint:MODULE:EVENT"];

interface Found {
  readonly module: string;
  readonly event: string;
}

/** What a pattern means. Of an event without a module, the kernel's own goes first, and modules are not read for it. */
function find(kernel: KernelView, module: string | undefined, wanted: string): readonly Found[] {
  const matches = compileGlob(wanted);
  const inModule = compileGlob(module ?? "*");
  const found: Found[] = [];
  for (const each of [kernelModule, ...kernel.modules()].filter(inModule)) {
    if (module === undefined && !hasWildcard(wanted) && found.length > 0) break;
    const known = kernel.rawTracepoints(each);
    // Without BTF they cannot be listed; attaching will tell whether there is one.
    const names =
      known.length === 0 && each === kernelModule && !hasWildcard(wanted) ? [wanted] : known.filter(matches);
    for (const event of names) found.push({ module: each, event });
  }
  return found;
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
    const module = parts.length === 2 ? parts[0] : undefined;
    const found = find(context.kernel, module, wanted);
    if (found.length === 0) {
      const there = module === undefined ? "" : ` in ${hasWildcard(module) ? `modules like ${module}` : module}`;
      const known = context.kernel.rawTracepoints();
      const message = `there is no raw tracepoint '${wanted}'${there}`;
      return known.includes(wanted)
        ? unknownProbe(context, message, wanted, [], `The kernel itself has one: rawtracepoint:${wanted}`)
        : unknownProbe(context, message, wanted, known, "beetrace -l 'rawtracepoint:*' lists what there is.");
    }
    return found.map(({ module, event }): Candidate => {
      const args = argsOf(event, module, context.kernel);
      const shape =
        context.facts.usesArgs && args !== undefined ? args.map((a) => `${a.name},${typeKey(a)}`).join(";") : "";
      // The kernel's own only: typed programs for modules want the module's BTF with them.
      const typed =
        module === kernelModule && context.facts.usesTypedArgs && context.kernel.feature("btfRawTracepoint") === "yes";
      return {
        name: `rawtracepoint:${module}:${event}`,
        func: event,
        place: { kind: "raw-tracepoint", event },
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
    port.each(items, ({ target, id }) =>
      port.rawTracepoint(program, { name: placeAs(target.place, "raw-tracepoint").event }, id),
    ),
  describe(name, kernel) {
    const [, module = "", event = ""] = name.split(":");
    const btf = kernel.moduleBtf(module);
    if ("missing" in btf) return [];
    const params = paramsOf(event, btf) ?? [];
    return params.map((param) => `${typeText(btf, param.type)} ${param.name}`);
  },
  list: (kernel) => find(kernel, "*", "*").map(({ module, event }) => `rawtracepoint:${module}:${event}`),
};

const typeKey = (field: ArgField): string =>
  field.type.kind === "pointer" && field.type.to.kind === "record" ? field.type.to.name : field.type.kind;

function argsOf(event: string, module: string, kernel: KernelView): readonly ArgField[] | undefined {
  const btf = kernel.moduleBtf(module);
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

import { BPF_TRACE_ITER } from "../../abi/program-type.js";
import { hasWildcard } from "../../base/glob.js";
import { typeText } from "../../formats/btf-c.js";
import { recordFromBtf } from "../../types/from-btf.js";
import { placeAs } from "../attach-place.js";
import { btfFunction, type KernelView } from "../kernel-view.js";
import type { Candidate, Probe } from "../probe.js";
import type { ArgField } from "../typed.js";
import { unknownProbe, wrongForm } from "./common.js";

const forms = ["iter:TYPE", "iter:TYPE:PIN"];

/** BPF_CGROUP_ITER_DESCENDANTS_PRE (uapi/linux/bpf.h): the kernel wants an order; from the root down. */
const cgroupOrder = 2;

/** Iterators over the elements of one map, which the link would have to name. */
const ofOneMap: readonly string[] = ["bpf_map_elem", "bpf_sk_storage_map", "sockmap"];

/** The structure that a program on `bpf_iter_TYPE` finds in its context: include/linux/bpf.h, DEFINE_BPF_ITER_FUNC. */
const contextPrefix = "bpf_iter__";

/** Where names of pins without a path are: the usual place of the bpf file system. */
const pinFolder = "/sys/fs/bpf/";

export const iter: Probe = {
  name: "iter",
  aliases: ["it"],
  doc: "Runs for each object of the kernel of one type (task, task_file, task_vma ...), as members of ctx, and the trace ends. A member that is a null pointer, as behind the last object, ends the action. With PIN, a file in /sys/fs/bpf, it runs whenever that file is read, which then holds what printf prints.",
  forms,
  finite: true,
  needs: "iter",
  // The program runs in the task that reads.
  limitedBy: "attachment",
  bind(parts, context): readonly Candidate[] {
    const [type = "", pin] = parts;
    const name = ["iter", ...parts].join(":");
    if (parts.length < 1 || parts.length > 2 || parts.includes("")) {
      return wrongForm(context, forms, `'${name}' does not say what to iterate over`);
    }
    if (parts.some(hasWildcard)) return wrongForm(context, forms, "an iterator's name has no wildcards");
    const btf = context.kernel.btf();
    if ("missing" in btf) {
      context.diags.error("no-btf", context.span, `iterators need the kernel's BTF: ${btf.missing}`);
      return [];
    }
    if (context.kernel.feature("iter") === "no") {
      context.diags.error("no-iterators", context.span, "this kernel has no BPF iterators, or refuses them", {
        hint: "Linux has them since 5.8",
      });
      return [];
    }
    const args = fieldsOf(type, context.kernel);
    if (args === undefined) {
      return unknownProbe(
        context,
        `there is no iterator over '${type}'`,
        type,
        iterators(context.kernel),
        "beetrace -l 'iter:*' lists what there is.",
      );
    }
    if (ofOneMap.includes(type)) {
      return wrongForm(context, forms, `'${type}' goes over the elements of one map, which a script cannot name`);
    }
    return [
      {
        name,
        func: "",
        place: {
          kind: "iterator",
          iterator: {
            type,
            pid: context.pid,
            pin: pin === undefined || pin.startsWith("/") ? pin : `${pinFolder}${pin}`,
            ...(type === "cgroup" ? { order: cgroupOrder } : {}),
          },
        },
        variant: {
          // A program of its own: iterators have no attach cookies.
          key: `iter:${context.span.start}:${name}`,
          type: "tracing",
          expectedAttachType: BPF_TRACE_ITER,
          attachBtf: { name: `bpf_iter_${type}`, kind: "func" },
          context: { kind: "iterator", pinned: pin !== undefined },
          args,
          hasArgN: false,
          // Only migration is off: bpf_iter_run_prog(), kernel/bpf/bpf_iter.c, v6.18.
          preemptible: true,
        },
      },
    ];
  },
  attach: (port, program, _variant, items) =>
    port.each(items, ({ target }) => port.iterator(program, placeAs(target.place, "iterator").iterator)),
  list: (kernel) => iterators(kernel).map((type) => `iter:${type}`),
  describe(name, kernel) {
    const btf = kernel.btf();
    const id = "missing" in btf ? undefined : btf.find(contextPrefix + name.slice(name.indexOf(":") + 1), "struct");
    if ("missing" in btf || id === undefined) return [];
    return btf
      .membersOf(id)
      .filter((member) => member.name !== "" && member.name !== "meta")
      .map((member) => `${typeText(btf, member.type)} ${member.name}`);
  },
};

const isIterator = (type: string, kernel: KernelView): boolean => btfFunction(kernel, `bpf_iter_${type}`) !== undefined;

function iterators(kernel: KernelView): readonly string[] {
  const btf = kernel.btf();
  if ("missing" in btf) return [];
  return [...new Set(btf.names("struct"))]
    .filter((name) => name.startsWith(contextPrefix))
    .map((name) => name.slice(contextPrefix.length))
    .filter((type) => isIterator(type, kernel))
    .sort();
}

function fieldsOf(type: string, kernel: KernelView): readonly ArgField[] | undefined {
  const btf = kernel.btf();
  if ("missing" in btf || !isIterator(type, kernel)) return undefined;
  const id = btf.find(contextPrefix + type, "struct");
  if (id === undefined) return undefined;
  // Each pointer shares a union with an unnamed bit field of 64 bits (__bpf_md_ptr).
  return recordFromBtf(btf, id, "kernel")
    .members()
    .filter((member) => member.name !== "")
    .map((member) => ({
      name: member.name,
      type: member.type,
      source: { kind: "context", offset: member.bitOffset >> 3, endsIfNull: member.type.kind === "pointer" },
    }));
}

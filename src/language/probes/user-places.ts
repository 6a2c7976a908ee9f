// Places in programs and libraries, as uprobes are set on them: shared by the probe types of user space.
import { BPF_TRACE_UPROBE_MULTI } from "../../abi/program-type.js";
import type { UserPlace } from "../attach-place.js";
import type { Attachment, AttachPort } from "../attach-port.js";
import type { KernelView, Missing } from "../kernel-view.js";
import type { AttachedVariant, AttachItems, ProgramVariant } from "../probe.js";

/** A variant's counterpart for one link for all places of a file: attached and detached at once, where perf events linger. */
export const asMulti = (variant: ProgramVariant): ProgramVariant => ({
  ...variant,
  key: `${variant.key}:multi`,
  expectedAttachType: BPF_TRACE_UPROBE_MULTI,
});

/** Limited to a process, such a link may be limited to one of its threads: then -p takes events. */
export const canBeMulti = (kernel: KernelView, pid: number | undefined): boolean =>
  kernel.feature(pid === undefined ? "uprobeMulti" : "uprobeMultiProcess") === "yes";

/** consumer_add(), kernel/events/uprobes.c, v5.15 to v6.18: new consumers of a place go to the front of its list. */
export const runsLastFirst = true;

/** Attaches a program to places; places and items go together. */
export function attachPlaces(
  port: AttachPort,
  program: string,
  variant: AttachedVariant,
  ret: boolean,
  places: readonly UserPlace[],
  items: AttachItems,
): readonly Attachment[] {
  const byFile = new Map<string, { readonly places: UserPlace[]; readonly items: AttachItems[number][] }>();
  for (const [i, place] of places.entries()) {
    const group = byFile.get(place.path) ?? { places: [], items: [] };
    byFile.set(place.path, group);
    group.places.push(place);
    const item = items[i];
    if (item !== undefined) group.items.push(item);
  }
  return [...byFile].flatMap(([path, group]) => {
    if (variant.expectedAttachType === BPF_TRACE_UPROBE_MULTI)
      return port.uprobeMulti(program, { path, ret, pid: group.places[0]?.pid }, group.places, group.items);
    return group.places.flatMap((place, i) =>
      port.each(group.items.slice(i, i + 1), ({ id }) => port.uprobe(program, { ...place, ret }, id)),
    );
  });
}

/** What -l is to list: the files, and what behind them restricts the names; undefined if that is every file there is. */
export function listedFiles(
  parts: readonly string[],
  pid: number | undefined,
): { readonly target: string; readonly names: readonly string[] } | undefined {
  const [first, ...names] = parts;
  if (first === undefined) return pid === undefined ? undefined : { target: "*", names };
  // With a process its files need not be named: `-p PID -l 'uprobe:mall*'`.
  const isName = names.length === 0 && pid !== undefined && !first.includes("/") && !first.startsWith("lib");
  if (isName && first !== "*" && first !== "") return { target: "*", names: [first] };
  return { target: first === "" ? "*" : first, names };
}

/** Why there is nothing to list in the files that -l names; `read` looks into one. */
export function whyNothingInFiles(
  kernel: KernelView,
  parts: readonly string[],
  pid: number | undefined,
  read: (path: string) => object | Missing,
): string | undefined {
  const wanted = listedFiles(parts, pid);
  const files = wanted === undefined ? [] : kernel.userFiles(wanted.target, pid);
  if ("missing" in files) return files.missing;
  const [only] = files;
  const found = files.length === 1 && only !== undefined ? read(only.path) : {};
  return "missing" in found && typeof found.missing === "string" ? found.missing : undefined;
}

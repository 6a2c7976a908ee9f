import { BPF_TRACE_UPROBE_MULTI } from "../../abi/program-type.js";
import { compileGlob, hasWildcard } from "../../base/glob.js";
import { u64 } from "../../types/type.js";
import type { UserFunction } from "../kernel-view.js";
import type { BindContext, Candidate, Probe, ProgramVariant } from "../probe.js";
import { parseCount, unknownProbe, wrongForm } from "./common.js";
import { lineAddress, parameterLines, withArguments, withTypes } from "./user-arguments.js";

interface Place {
  readonly path: string;
  readonly offset: number;
  readonly pid: number | undefined;
}

function userProbe(name: "uprobe" | "uretprobe", alias: string, doc: string): Probe {
  const ret = name === "uretprobe";
  const forms = ret
    ? [`${name}:FILE:FUNCTION`]
    : [
        `${name}:FILE:FUNCTION`,
        `${name}:FILE:FUNCTION+OFFSET`,
        `${name}:FILE:OFFSET`,
        `${name}:FILE@SOURCE:LINE[:COLUMN]`,
      ];
  const base: ProgramVariant = {
    key: name,
    type: "kprobe",
    expectedAttachType: 0,
    context: { kind: "registers", space: "user" },
    noArgs: ret
      ? "arguments are gone when a function returns; keep them in a map at its entry: @arg[tid] = args.NAME"
      : "use arg0, arg1 ... for what the registers hold",
    retval: ret ? u64 : undefined,
    hasArgN: !ret,
    func: "user",
    preemptible: true,
  };
  const multi: ProgramVariant = { ...base, key: `${name}:multi`, expectedAttachType: BPF_TRACE_UPROBE_MULTI };
  /** `FILE@SOURCE:LINE[:COLUMN]`: an instruction of a line of the source. */
  const bindLine = (source: RegExpExecArray, parts: readonly string[], context: BindContext): readonly Candidate[] => {
    const [, file = "", text = ""] = source;
    const [, line, column] = parts.map((part) => Number(parseCount(part) ?? 0n));
    if (parts.length > 3 || line === undefined || line === 0 || (parts.length === 3 && column === 0)) {
      return wrongForm(context, forms, `'${[name, ...parts].join(":")}' names no line of a source file`);
    }
    const { kernel, pid } = context;
    const listed = kernel.userFunctions(file);
    if ("missing" in listed) return unknownProbe(context, `${file} cannot be probed: ${listed.missing}`, file, []);
    const { path, functions } = listed;
    const found = lineAddress(kernel, path, text, line, column ?? 0);
    if ("missing" in found) return unknownProbe(context, `no line to probe: ${found.missing}`, text, []);
    const label = [text, ...parts.slice(1)].join(":");
    return [
      {
        name: `${name}:${shownPath(file, path)}@${label}`,
        func: label,
        place: { path, offset: fileOffset(functions, found.address), pid } satisfies Place,
        variant: context.facts.usesTypeNames ? withTypes(base, kernel, path) : base,
      },
    ];
  };
  return {
    name,
    aliases: [alias],
    doc,
    forms,
    bind(parts, context) {
      const source = parts[0] === undefined ? undefined : /^(.+)@([^@]+)$/.exec(parts[0]);
      if (!ret && source !== null && source !== undefined) return bindLine(source, parts, context);
      const [file = "", written = ""] = parts;
      if (parts.length !== 2 || file === "" || written === "") {
        return wrongForm(context, forms, `'${[name, ...parts].join(":")}' names no function of a file`);
      }
      const listed = context.kernel.userFunctions(file);
      if ("missing" in listed) return unknownProbe(context, `${file} cannot be probed: ${listed.missing}`, file, []);
      const { path, functions } = listed;
      const pid = context.pid;
      const make = (label: string, offset: number, variant: ProgramVariant) => ({
        name: `${name}:${shownPath(file, path)}:${label}`,
        func: label,
        place: { path, offset, pid } satisfies Place,
        variant,
      });
      const absolute = parseCount(written);
      if (absolute !== undefined && !ret) return [make(written, fileOffset(functions, absolute), base)];
      const plus = written.lastIndexOf("+");
      const delta = plus < 0 ? undefined : parseCount(written.slice(plus + 1));
      const symbol = delta === undefined ? written : written.slice(0, plus);
      const matches = compileGlob(symbol);
      const seen = new Set<number>();
      const found = functions.filter((f) => matches(f.name) && !seen.has(f.fileOffset) && seen.add(f.fileOffset));
      if (found.length === 0) {
        const names = functions.map((f) => f.name);
        const more = names.length === 0 ? "The file has no symbols; install its debug symbols." : undefined;
        return unknownProbe(context, `${path} has no function '${symbol}'`, symbol, names, more);
      }
      // One link for all: attached and detached at once, where perf events linger (load/detach.ts). Limited to a process,
      // it was one to a thread until Linux 6.10 (uprobe_prog_run), so that -p takes events.
      const many = pid === undefined && context.kernel.feature("uprobeMulti") === "yes";
      const plain = many ? multi : base;
      const { facts, kernel } = context;
      const typed = facts.usesTypeNames ? withTypes(plain, kernel, path) : plain;
      return found.map((f) =>
        make(
          `${f.name}${delta === undefined ? "" : `+${delta}`}`,
          f.fileOffset + Number(delta ?? 0n),
          facts.usesArgs && !ret ? withArguments(typed, kernel, path, f) : typed,
        ),
      );
    },
    attach(port, program, variant, items) {
      if (variant.expectedAttachType !== BPF_TRACE_UPROBE_MULTI) {
        return items.map(({ target, id }) => port.uprobe(program, { ...(target.place as Place), ret }, id));
      }
      const byFile = new Map<string, { place: Place; offsets: number[]; ids: bigint[] }>();
      for (const { target, id } of items) {
        const place = target.place as Place;
        let group = byFile.get(place.path);
        if (group === undefined) {
          group = { place, offsets: [], ids: [] };
          byFile.set(place.path, group);
        }
        group.offsets.push(place.offset);
        group.ids.push(id);
      }
      return [...byFile.values()].map(({ place, offsets, ids }) =>
        port.uprobeMulti(program, { path: place.path, offsets, ret, pid: place.pid }, ids),
      );
    },
    listsFile: true,
    list(kernel, parts, files) {
      const file = parts[0];
      if (file === undefined) return [];
      const chosen = hasWildcard(file) ? files.filter(compileGlob(file)) : [file];
      return chosen.flatMap((path) => {
        const listed = kernel.userFunctions(path);
        return "missing" in listed
          ? []
          : listed.functions.map((f) => `${name}:${shownPath(path, listed.path)}:${f.name}`);
      });
    },
    describe(full, kernel) {
      if (ret) return [];
      const [, path = "", ...name] = full.split(":");
      const listed = kernel.userFunctions(path);
      const fn = "missing" in listed ? undefined : listed.functions.find((each) => each.name === name.join(":"));
      return "missing" in listed || fn === undefined ? [] : parameterLines(kernel, listed.path, fn);
    },
  };
}

/** A path is shown as it was written, a library that was named without one by where it was found. */
const shownPath = (written: string, found: string): string => (written.includes("/") ? written : found);

/** Where in the file an address of its code lies: as far behind the function in front of it as in memory. */
function fileOffset(functions: readonly UserFunction[], address: bigint): number {
  let nearest: UserFunction | undefined;
  for (const f of functions)
    if (f.address <= address && (nearest === undefined || f.address > nearest.address)) nearest = f;
  // A file without symbols, or with code in front of the first of them: the two are the same in most of those.
  return nearest === undefined ? Number(address) : nearest.fileOffset + Number(address - nearest.address);
}

export const uprobe = userProbe("uprobe", "u", "Entry of a function of a program or library, or an instruction in it.");
export const uretprobe = userProbe("uretprobe", "ur", "Return of a function of a program or library.");

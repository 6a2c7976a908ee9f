import { compileGlob } from "../../base/glob.js";
import { u64 } from "../../types/type.js";
import type { UserFile, UserFunction } from "../kernel-view.js";
import type { BindContext, Candidate, Probe, ProgramVariant } from "../probe.js";
import { parseCount, unknownProbe, wrongForm } from "./common.js";
import { lineAddress, parameterLines, withArguments, withTypes } from "./user-arguments.js";
import { asMulti, attachPlaces, canBeMulti, listedFiles, type UserPlace } from "./user-places.js";

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
  const make = (file: UserFile, label: string, offset: number, pid: number | undefined, variant: ProgramVariant) => ({
    name: `${name}:${file.shown}:${label}`,
    func: label,
    place: { path: file.path, offset, pid } satisfies UserPlace,
    variant,
  });

  /** The one file of a form that names a single place. */
  const oneFile = (target: string, context: BindContext): UserFile | undefined => {
    const files = context.kernel.userFiles(target, context.pid);
    const missing =
      "missing" in files ? files.missing : files.length > 1 ? `it means ${files.length} files` : undefined;
    if (missing !== undefined) unknownProbe(context, `${target} cannot be probed: ${missing}`, target, []);
    return "missing" in files || missing !== undefined ? undefined : files[0];
  };

  /** `FILE@SOURCE:LINE[:COLUMN]`: an instruction of a line of the source. */
  const bindLine = (source: RegExpExecArray, parts: readonly string[], context: BindContext): readonly Candidate[] => {
    const [, target = "", text = ""] = source;
    const [, line, column] = parts.map((part) => Number(parseCount(part) ?? 0n));
    if (parts.length > 3 || line === undefined || line === 0 || (parts.length === 3 && column === 0)) {
      return wrongForm(context, forms, `'${[name, ...parts].join(":")}' names no line of a source file`);
    }
    const { kernel, pid } = context;
    const file = oneFile(target, context);
    if (file === undefined) return [];
    const listed = kernel.userFunctions(file.path);
    if ("missing" in listed) return unknownProbe(context, `${target} cannot be probed: ${listed.missing}`, target, []);
    const found = lineAddress(kernel, file.path, text, line, column ?? 0);
    if ("missing" in found) return unknownProbe(context, `no line to probe: ${found.missing}`, text, []);
    const label = [text, ...parts.slice(1)].join(":");
    return [
      {
        name: `${name}:${file.shown}@${label}`,
        func: label,
        place: { path: file.path, offset: fileOffset(listed.functions, found.address), pid } satisfies UserPlace,
        variant: context.facts.usesTypeNames ? withTypes(base, kernel, file.path) : base,
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
      const { kernel, pid, facts } = context;
      // Without a file it is the program of the process.
      const [target = "", written = ""] = pid !== undefined && parts.length === 1 ? ["", ...parts] : parts;
      if (parts.length < 1 || parts.length > 2 || written === "" || (target === "" && pid === undefined)) {
        return wrongForm(context, forms, `'${[name, ...parts].join(":")}' names no function of a file`);
      }
      const absolute = parseCount(written);
      if (absolute !== undefined && !ret) {
        const file = oneFile(target, context);
        const listed = file === undefined ? undefined : kernel.userFunctions(file.path);
        if (file === undefined || listed === undefined) return [];
        if ("missing" in listed)
          return unknownProbe(context, `${target} cannot be probed: ${listed.missing}`, target, []);
        return [make(file, written, fileOffset(listed.functions, absolute), pid, base)];
      }
      const plus = written.lastIndexOf("+");
      const delta = plus < 0 ? undefined : parseCount(written.slice(plus + 1));
      const symbol = delta === undefined ? written : written.slice(0, plus);
      const label = (fn: UserFunction): string => `${fn.name}${delta === undefined ? "" : `+${delta}`}`;
      const found = findFunctions(target, symbol, context);
      const many = canBeMulti(kernel, pid);
      return found.flatMap(({ file, functions }) => {
        const plain = many ? asMulti(base) : base;
        const typed = facts.usesTypeNames ? withTypes(plain, kernel, file.path) : plain;
        return functions.map((fn) => {
          const variant = facts.usesArgs && !ret ? withArguments(typed, kernel, file.path, fn) : typed;
          return make(file, label(fn), fn.fileOffset + Number(delta ?? 0n), pid, variant);
        });
      });
    },
    attach: (port, program, variant, items) =>
      attachPlaces(
        port,
        program,
        variant,
        ret,
        items.map(({ target, id }) => ({ place: target.place as UserPlace, id })),
      ),
    listsFile: true,
    *list(kernel, parts, pid) {
      const wanted = listedFiles(parts, pid);
      const files = wanted === undefined ? [] : kernel.userFiles(wanted.target, pid);
      if (wanted === undefined || "missing" in files) return;
      const matches = compileGlob(wanted.names.join(":") || "*");
      for (const file of files) {
        const listed = kernel.userFunctions(file.path);
        if ("missing" in listed) continue;
        for (const fn of listed.functions) if (matches(fn.name)) yield `${name}:${file.shown}:${fn.name}`;
      }
    },
    describe(full, kernel) {
      if (ret) return [];
      const [, path = "", ...rest] = full.split(":");
      const listed = kernel.userFunctions(path);
      const fn = "missing" in listed ? undefined : listed.functions.find((each) => each.name === rest.join(":"));
      return "missing" in listed || fn === undefined ? [] : parameterLines(kernel, listed.path, fn);
    },
  };
}

interface FoundFunctions {
  readonly file: UserFile;
  readonly functions: readonly UserFunction[];
}

/** The functions that a symbol or pattern means in the files that a target means; reports it if there are none. */
function findFunctions(target: string, symbol: string, context: BindContext): readonly FoundFunctions[] {
  const { kernel, pid } = context;
  const files = kernel.userFiles(target, pid);
  if ("missing" in files) return unknownProbe(context, `${target} cannot be probed: ${files.missing}`, target, []);
  const matches = compileGlob(symbol);
  const found: FoundFunctions[] = [];
  const names: string[] = [];
  for (const file of files) {
    const listed = kernel.userFunctions(file.path);
    if ("missing" in listed) {
      // Of many files those that cannot be read do not matter.
      if (files.length > 1) continue;
      return unknownProbe(context, `${file.shown} cannot be probed: ${listed.missing}`, target, []);
    }
    const seen = new Set<number>();
    const functions = listed.functions.filter(
      (fn) => matches(fn.name) && !seen.has(fn.fileOffset) && seen.add(fn.fileOffset),
    );
    if (functions.length > 0) found.push({ file, functions });
    else if (names.length < 1e6) for (const fn of listed.functions) names.push(fn.name);
  }
  if (found.length > 0) return found;
  const [only] = files;
  const where =
    files.length === 1 && only !== undefined ? `${only.shown} has no` : `none of ${files.length} files has a`;
  const more = names.length === 0 ? "The file has no symbols; install its debug symbols." : undefined;
  return unknownProbe(context, `${where} function '${symbol}'`, symbol, names, more);
}

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

import { u64 } from "../../types/type.js";
import { placeAs } from "../attach-place.js";
import type { UserFile, UserFunction, UserFunctions } from "../kernel-view.js";
import type { BindContext, Candidate, Probe, ProgramVariant } from "../probe.js";
import { parseCount, unknownProbe, wrongForm } from "./common.js";
import { functionPattern, isLanguage } from "./function-names.js";
import { lineAddress, parameterLines, withArguments, withTypes } from "./user-arguments.js";
import { findFunctions } from "./user-function-match.js";
import { asMulti, attachPlaces, canBeMulti, listedFiles, runsLastFirst, whyNothingInFiles } from "./user-places.js";

function userProbe(name: "uprobe" | "uretprobe", alias: string, doc: string): Probe {
  const ret = name === "uretprobe";
  const forms = ret
    ? [`${name}:FILE:FUNCTION`, `${name}:FILE:cpp:FUNCTION`]
    : [
        `${name}:FILE:FUNCTION`,
        `${name}:FILE:cpp:FUNCTION`,
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
    userReturns: ret,
    preemptible: true,
  };
  const make = (file: UserFile, label: string, offset: number, pid: number | undefined, variant: ProgramVariant) => ({
    name: `${name}:${file.shown}:${label}`,
    func: label,
    file: file.path,
    place: { kind: "user" as const, place: { path: file.path, offset, pid } },
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
        file: file.path,
        place: { kind: "user", place: { path: file.path, offset: listed.fileOffset(found.address) ?? 0, pid } },
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
      const named = pid !== undefined && (parts.length === 1 || isLanguage(parts[0] ?? "")) ? ["", ...parts] : parts;
      const language = named.length === 3 && isLanguage(named[1] ?? "") ? named[1] : undefined;
      const [target = "", written = ""] = language === undefined ? named : [named[0], named[2]];
      const tooMany = named.length > (language === undefined ? 2 : 3);
      if (tooMany || written === "" || (target === "" && pid === undefined)) {
        return wrongForm(context, forms, `'${[name, ...parts].join(":")}' names no function of a file`);
      }
      const absolute = parseCount(written);
      if (absolute !== undefined && !ret) {
        const file = oneFile(target, context);
        const place = file === undefined ? undefined : placeOf(file, absolute, context);
        if (file === undefined || place === undefined) return [];
        return [{ ...make(file, written, place.offset, pid, base), func: place.func ?? written }];
      }
      const plus = written.lastIndexOf("+");
      const delta = plus < 0 ? undefined : parseCount(written.slice(plus + 1));
      const symbol = delta === undefined ? written : written.slice(0, plus);
      if (ret && delta !== undefined) {
        const message = `'${written}': uretprobes cannot be attached at an offset of a function, which returns as a whole`;
        return wrongForm(context, forms, message);
      }
      const prefix = language === undefined ? "" : `${language}:`;
      const label = (fn: UserFunction): string => `${fn.name}${delta === undefined ? "" : `+${delta}`}`;
      const pattern = functionPattern(symbol, language);
      const found = findFunctions(target, pattern, context).map(({ file, listed, functions }) => ({
        file,
        functions: functions.filter((fn) => isSafe(listed, fn, delta, !pattern.exact, context)),
      }));
      const many = canBeMulti(kernel, pid);
      return found.flatMap(({ file, functions }) => {
        const plain = many ? asMulti(base) : base;
        const typed = facts.usesTypeNames ? withTypes(plain, kernel, file.path) : plain;
        return functions.map((fn) => {
          const variant = facts.usesArgs && !ret ? withArguments(typed, kernel, file.path, fn) : typed;
          const candidate = make(file, prefix + label(fn), fn.fileOffset + Number(delta ?? 0n), pid, variant);
          return { ...candidate, func: label(fn) };
        });
      });
    },
    attach: (port, program, variant, items) => {
      const places = items.map(({ target }) => placeAs(target.place, "user").place);
      return attachPlaces(port, program, variant, ret, places, items);
    },
    listsFile: true,
    runsLastFirst,
    listedByType: ret,
    needs: "uprobe",
    *list(kernel, parts, pid) {
      const wanted = listedFiles(parts, pid);
      const files = wanted === undefined ? [] : kernel.userFiles(wanted.target, pid);
      if (wanted === undefined || "missing" in files) return;
      const [first = ""] = wanted.names;
      const language = isLanguage(first) ? first : undefined;
      const written = wanted.names.slice(language === undefined ? 0 : 1).join(":");
      const { matches } = functionPattern(written || "*", language);
      for (const file of [...files].sort((a, b) => (a.shown < b.shown ? -1 : 1))) {
        const listed = kernel.userFunctions(file.path);
        if ("missing" in listed) continue;
        const prefix = `${name}:${file.shown}:${language === undefined ? "" : `${language}:`}`;
        for (const fn of listed.names().filter(matches)) yield prefix + fn;
      }
    },
    whyNothing: (kernel, parts, pid) => whyNothingInFiles(kernel, parts, pid, (path) => kernel.userFunctions(path)),
    describe(full, kernel) {
      if (ret) return [];
      const [, path = "", ...rest] = full.split(":");
      const files = kernel.userFiles(path, undefined);
      const [file] = "missing" in files ? [] : files;
      const listed = file === undefined ? undefined : kernel.userFunctions(file.path);
      const fn = listed === undefined || "missing" in listed ? undefined : listed.find(rest.join(":"));
      return file === undefined || fn === undefined ? [] : parameterLines(kernel, file.path, fn);
    },
  };
}

const unsafeHint =
  "Use --unsafe to force attachment. WARNING: This option could lead to data corruption in the target process.";

/** Where in the file a virtual address is; only of code that a symbol vouches for, unless the user insists. */
function placeOf(
  file: UserFile,
  address: bigint,
  context: BindContext,
): { readonly offset: number; readonly func: string | undefined } | undefined {
  const listed = context.kernel.userFunctions(file.path);
  // A file that is no ELF file may hold code all the same, which its program knows how to find.
  if ("missing" in listed) {
    if (context.unsafe) return { offset: Number(address), func: undefined };
    unknownProbe(context, `${file.shown} cannot be probed: ${listed.missing}`, file.shown, [], unsafeHint);
    return undefined;
  }
  const fn = listed.at(address);
  if (fn === undefined && !context.unsafe) {
    const message = `Could not resolve address: ${file.shown}:0x${address.toString(16)}`;
    const notes = [{ message: "no function is there", span: context.span }];
    // The line stands alone, as bpftrace's does: programs look for it.
    context.diags.error("unknown-address", undefined, message, { notes, hint: unsafeHint });
    return undefined;
  }
  if (fn !== undefined && !isInstruction(listed, fn, Number(address - fn.address), context)) return undefined;
  return { offset: listed.fileOffset(address) ?? Number(address), func: fn?.name };
}

/** Whether a probe there hits an instruction of the function: a breakpoint anywhere else breaks the program. */
function isSafe(
  listed: UserFunctions,
  fn: UserFunction,
  delta: bigint | undefined,
  found: boolean,
  context: BindContext,
): boolean {
  const { diags, span, unsafe } = context;
  const offset = delta ?? 0n;
  // That a function found by a wildcard has no size is no reason to doubt where it begins.
  if (fn.size === 0 && offset === 0n && (unsafe || found)) return true;
  if (fn.size === 0 && offset === 0n) {
    const message = `Could not determine boundary for ${fn.name} (symbol has size 0).\n${unsafeHint}`;
    diags.error("no-boundary", undefined, message, { notes: [{ message: "where it ends is not known", span }] });
    return false;
  }
  if (offset < BigInt(fn.size)) return isInstruction(listed, fn, Number(offset), context);
  diags.error("outside-function", span, `Offset outside the function bounds ('${fn.name}' size is ${fn.size})`);
  return false;
}

/** A breakpoint inside of an instruction makes another one of it. */
function isInstruction(listed: UserFunctions, fn: UserFunction, offset: number, context: BindContext): boolean {
  const at = listed.instructionAt(fn, offset);
  if (at === "begins" || context.unsafe) return true;
  const place = `${fn.name}+${offset}`;
  const message =
    at === "inside"
      ? `Could not add uprobe into middle of instruction: ${place}`
      : `Failed to check if uprobe is in proper place: ${place}`;
  context.diags.error("no-instruction", context.span, message, { hint: unsafeHint });
  return false;
}

export const uprobe = userProbe("uprobe", "u", "Entry of a function of a program or library, or an instruction in it.");
export const uretprobe = userProbe(
  "uretprobe",
  "ur",
  "Return of a function of a program or library. The kernel remembers 64 calls of a thread that wait for theirs; returns of calls nested deeper are not seen, and beetrace says when that may have been.",
);

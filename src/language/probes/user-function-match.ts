// What an attach point's file and function mean: functions of programs and libraries.
import { compileGlob, hasWildcard } from "../../base/glob.js";
import type { UserFile, UserFunction, UserFunctions } from "../kernel-view.js";
import type { BindContext } from "../probe.js";
import { probeType, unknownProbe } from "./common.js";
import type { FunctionPattern } from "./function-names.js";
import { absenceOf } from "./user-function-absence.js";

export interface FoundFunctions {
  readonly file: UserFile;
  readonly listed: UserFunctions;
  readonly functions: readonly UserFunction[];
}

/** The functions that a symbol or pattern means in the files that a target means; reports it if there are none. */
export function findFunctions(
  target: string,
  pattern: FunctionPattern,
  context: BindContext,
): readonly FoundFunctions[] {
  const { kernel, pid } = context;
  const files = kernel.userFiles(target, pid);
  if ("missing" in files) {
    const moved = functionsInLibc(target, pattern, context);
    return moved.length > 0 ? moved : unknownProbe(context, `${target} cannot be probed: ${files.missing}`, target, []);
  }
  const found: FoundFunctions[] = [];
  const searched: Omit<FoundFunctions, "functions">[] = [];
  for (const file of files) {
    const listed = kernel.userFunctions(file.path);
    if ("missing" in listed) {
      // Of many files those that cannot be read do not matter.
      if (files.length > 1) continue;
      return unknownProbe(context, `${file.shown} cannot be probed: ${listed.missing}`, target, []);
    }
    const functions = functionsOf(listed, pattern);
    if (functions.length > 0) found.push({ file, listed, functions });
    searched.push({ file, listed });
  }
  if (found.length > 0) {
    warnOfIndirect(found, context);
    return found;
  }
  const moved = functionsInLibc(target, pattern, context);
  if (moved.length > 0) return moved;
  const [only] = files;
  const where =
    files.length === 1 && only !== undefined ? `${only.shown} has no` : `none of ${files.length} files has a`;
  const [first] = searched;
  const named = first !== undefined && !hasWildcard(pattern.text) && context.missing !== "ignore";
  const instead = named ? absenceOf(pattern.text, first.file, first.listed, context) : undefined;
  if (instead !== undefined)
    return unknownProbe(context, `${where} function '${pattern.text}'`, pattern.text, [], instead);
  const more = searched.every(({ listed }) => listed.names().length === 0)
    ? "The file has no symbols; install its debug symbols."
    : undefined;
  return unknownProbe(context, `${where} function '${pattern.text}'`, pattern.text, namesIn(searched, pattern), more);
}

/** All names that the pattern could have meant. */
function* namesIn(searched: readonly Pick<FoundFunctions, "listed">[], pattern: FunctionPattern): Generator<string> {
  for (const { listed } of searched)
    for (const symbol of listed.names()) {
      const name = pattern.nameOf(symbol);
      if (name !== undefined) yield name;
    }
}

/** Probes on functions that choose others see them choose, once for each program, and none of the calls. */
function warnOfIndirect(found: readonly FoundFunctions[], { diags, span }: BindContext): void {
  const all = found.flatMap(({ file, listed, functions }) =>
    functions.filter(({ indirect }) => indirect === true).map(({ name }) => ({ file, listed, name })),
  );
  const [first] = all;
  if (first === undefined) return;
  const { file, listed, name } = first;
  const what = all.length === 1 ? `${name} is indirect` : `${all.length} of the functions are indirect, like ${name}`;
  const message = `${what}: a probe sees it choose the function that a program will call, and not the calls`;
  const choices = listed.matching(compileGlob(`__${name}_*`));
  const hint =
    choices.length > 0
      ? `beetrace -l 'uprobe:${file.shown}:__${name}_*' lists what it may choose`
      : "what it may choose has no symbols of such names here; debug symbols may tell";
  diags.warning("indirect-function", span, message, { hint });
}

/** Each place once. */
function functionsOf(listed: UserFunctions, pattern: FunctionPattern): readonly UserFunction[] {
  const seen = new Set<number>();
  const one = pattern.exact ? listed.find(pattern.text) : undefined;
  const all = !pattern.exact ? listed.matching(pattern.matches) : one === undefined ? [] : [one];
  return all.filter((fn) => !seen.has(fn.fileOffset) && seen.add(fn.fileOffset));
}

/** Libraries that are empty since glibc 2.34, or not there any more: libc has their functions (NEWS of glibc 2.34). */
const mergedIntoLibc = /^lib(?:pthread|dl|rt|util|anl)(?:\.so(?:\.\d+)?)?$/;

/** Older scripts name these libraries: what they mean is in libc now. */
function functionsInLibc(target: string, pattern: FunctionPattern, context: BindContext): readonly FoundFunctions[] {
  if (!mergedIntoLibc.test(target)) return [];
  const { kernel, pid, diags, span } = context;
  const files = kernel.userFiles("libc", pid);
  if ("missing" in files) return [];
  const found = files.flatMap((file): FoundFunctions[] => {
    const listed = kernel.userFunctions(file.path);
    const functions = "missing" in listed ? [] : functionsOf(listed, pattern);
    return "missing" in listed || functions.length === 0 ? [] : [{ file, listed, functions }];
  });
  if (found.length > 0)
    diags.warning("moved-to-libc", span, `${target} has no function '${pattern.text}': libc has it since glibc 2.34`, {
      hint: `${probeType(context)}:libc:${pattern.text} says so`,
    });
  return found;
}

// Why a program has no function that a script names, and what to write in its place.
import { FormatError } from "../../base/errors.js";
import type { UserFile, UserFunctions } from "../kernel-view.js";
import type { BindContext } from "../probe.js";
import { probeType } from "./common.js";
import { copyOf } from "./compiler-copies.js";
import { cppName, withoutTemplateArguments } from "./function-names.js";

/** What has become of a function, or has it, and what to write; undefined if nothing tells. */
export function absenceOf(
  name: string,
  file: UserFile,
  listed: UserFunctions,
  context: BindContext,
): string | undefined {
  const probe = probeType(context);
  return (
    inLibrary(name, file, probe, context) ??
    copyOf(name, listed, (copy) => `${probe}:${file.shown}:${copy}`) ??
    asMethod(name, file, listed, probe) ??
    asInlined(name, file, context)
  );
}

/** Programs call it, but it is not theirs. */
function inLibrary(name: string, program: UserFile, probe: string, { kernel, pid }: BindContext): string | undefined {
  const linked = pid === undefined ? kernel.librariesOf(program.path) : kernel.userFiles("*", pid);
  if ("missing" in linked) return undefined;
  const library = linked.find(({ path }) => {
    const listed = kernel.userFunctions(path);
    return !("missing" in listed) && listed.find(name) !== undefined;
  });
  if (library === undefined) return undefined;
  return `${library.shown}, which it is linked with, has one: ${probe}:${library.shown}:${name}`;
}

/** C++ has namespaces and classes in front of it. */
function asMethod(name: string, file: UserFile, listed: UserFunctions, probe: string): string | undefined {
  // Symbols have identifiers as they are.
  const last = name.split("::").at(-1) ?? name;
  for (const symbol of listed.names()) {
    const full = symbol.includes(last) ? cppName(symbol) : undefined;
    if (full === undefined) continue;
    const plain = withoutTemplateArguments(full);
    // Names of templates begin with the type that they return.
    if (plain === name || plain.endsWith(`::${name}`) || plain.endsWith(` ${name}`))
      return `in C++ it is ${probe}:${file.shown}:cpp:"${plain === full ? full : `${plain}<*>`}"`;
  }
  return undefined;
}

/** Debugging information knows it, and no symbol does. */
function asInlined(name: string, file: UserFile, { kernel }: BindContext): string | undefined {
  const dwarf = kernel.debugInfo(file.path);
  if ("missing" in dwarf) return undefined;
  try {
    if (dwarf.function(name, 0n) === undefined) return undefined;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
  return `its calls are inlined, or it was dropped as nobody calls it; a line of it may do: uprobe:${file.shown}@SOURCE:LINE`;
}

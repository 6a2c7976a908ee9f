// What the debugging information of a program says of its functions: arguments and types for uprobes.
import { FormatError } from "../../base/errors.js";
import type { Dwarf } from "../../formats/dwarf.js";
import { DW_TAG } from "../../formats/dwarf-constants.js";
import { type FunctionSignature, functionSignature } from "../../types/dwarf-function.js";
import { typeFromDwarf } from "../../types/from-dwarf.js";
import type { AddressSpace, Type } from "../../types/type.js";
import type { KernelView, Missing, UserFunction } from "../kernel-view.js";
import type { ProgramVariant } from "../probe.js";

/** What damaged information leads to is the same as none. */
function reading<T>(read: () => T): T | Missing {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) return { missing: error.message };
    throw error;
  }
}

function signatureOf(kernel: KernelView, path: string, fn: UserFunction): FunctionSignature | Missing {
  return reading(() => {
    const dwarf = kernel.debugInfo(path);
    if ("missing" in dwarf) return dwarf;
    const die = dwarf.function(fn.name, fn.address);
    if (die !== undefined) return functionSignature(dwarf, die, kernel.arch);
    const lost = dwarf.missingFiles();
    const where = lost.length === 0 ? "" : `; perhaps ${lost[0]} does, which was not found`;
    return { missing: `the debugging information of ${path} does not know ${fn.name}()${where}` };
  });
}

const useRegisters = "use arg0, arg1 ... for what the registers hold";

/** The variant for one function, with its arguments; functions of one signature share a program. */
export function withArguments(
  variant: ProgramVariant,
  kernel: KernelView,
  path: string,
  fn: UserFunction,
): ProgramVariant {
  const signature = signatureOf(kernel, path, fn);
  if ("missing" in signature) return { ...variant, noArgs: `${signature.missing}; ${useRegisters}` };
  const args = signature.parameters.map(({ name, type, place }) => ({
    name,
    type,
    source: { kind: "parameter", place } as const,
  }));
  return { ...variant, key: `${variant.key}|${path}|${signature.key}`, args, argsAreValues: true };
}

/** The variant for functions of one file, with the types that it defines. */
export function withTypes(variant: ProgramVariant, kernel: KernelView, path: string): ProgramVariant {
  return {
    ...variant,
    key: `${variant.key}|${path}`,
    findType: (name, space) => {
      const found = reading(() => {
        const dwarf = kernel.debugInfo(path);
        return "missing" in dwarf ? dwarf : findType(dwarf, name, space);
      });
      return found === undefined || "missing" in found ? undefined : found;
    },
  };
}

const structures = [DW_TAG.structureType, DW_TAG.classType];
const tagsOf: Readonly<Record<string, readonly number[]>> = {
  struct: structures,
  union: [DW_TAG.unionType],
  enum: [DW_TAG.enumerationType],
};

function findType(dwarf: Dwarf, name: string, space: AddressSpace): Type | undefined {
  const [, tag, tagged] = /^(struct|union|enum) (.+)$/.exec(name) ?? [];
  // C++ names its classes without a word in front.
  const tags =
    tag === undefined ? [DW_TAG.typedef, ...structures, DW_TAG.unionType, DW_TAG.enumerationType] : tagsOf[tag];
  const die = dwarf.type(tagged ?? name, tags ?? []);
  return die === undefined ? undefined : typeFromDwarf(dwarf, die, space);
}

/** The address of a line of a program's source. */
export function lineAddress(
  kernel: KernelView,
  path: string,
  file: string,
  line: number,
  column: number,
): { readonly address: bigint } | Missing {
  const found = reading(() => {
    const dwarf = kernel.debugInfo(path);
    return "missing" in dwarf ? dwarf : dwarf.line(file, line, column);
  });
  if ("missing" in found) return found;
  const { files, address } = found;
  const [first = "", second] = files;
  if (files.length === 0) return { missing: `${path} has no code of a file '${file}'` };
  if (second !== undefined) return { missing: `'${file}' may be ${first} or ${second}: write more of the path` };
  return address === undefined
    ? { missing: `${first} has no code at ${line}${column === 0 ? "" : `:${column}`}` }
    : { address };
}

/** What -lv says of a function: its parameters, one a line. */
export function parameterLines(kernel: KernelView, path: string, fn: UserFunction): readonly string[] {
  const signature = signatureOf(kernel, path, fn);
  return "missing" in signature ? [] : signature.parameters.map(({ text }) => text);
}

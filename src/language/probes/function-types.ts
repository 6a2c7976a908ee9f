// What type information says of the kernel's functions.
import type { Btf } from "../../formats/btf.js";
import { typeText } from "../../formats/btf-c.js";
import { trampolineSignature } from "../../types/btf-function.js";
import type { KernelView } from "../kernel-view.js";

/** What a module's type information says, or why there is none. */
export function describedBy<T>(kernel: KernelView, module: string, say: (btf: Btf) => T): T | string {
  const btf = kernel.moduleBtf(module);
  return "missing" in btf ? btf.missing : say(btf);
}

/** The arguments of a function as `type name`, with what it returns as the last one if that is asked for. */
export function describeFunction(
  kernel: KernelView,
  module: string,
  symbol: string,
  withResult: boolean,
): readonly string[] {
  const lines = describedBy(kernel, module, (btf) => {
    const typeId = btf.findOwn(symbol, "func");
    const signature = typeId === undefined ? undefined : trampolineSignature(btf, typeId);
    if (signature === undefined || "missing" in signature) return [];
    const { args, result } = signature;
    const shown = withResult && result !== undefined ? [...args, result] : args;
    return shown.map((value) => `${typeText(btf, value.typeId)} ${value.name}`);
  });
  return typeof lines === "string" ? [] : lines;
}

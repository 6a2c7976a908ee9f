import type { KernelView } from "./kernel-view.js";

/** Bytes that ftrace's address of a function may be behind its first: an endbr64 (x86-64) or a bti and a nop (arm64). */
const mostLead = 16n;

/** The address that kallsyms has of a function that ftrace knows by `address`; it takes the list of all symbols. */
export const entryOf = (kernel: Pick<KernelView, "kernelSymbols">, name: string, address: bigint): bigint | undefined =>
  kernel.kernelSymbols(name).find((at) => at <= address && address - at <= mostLead);

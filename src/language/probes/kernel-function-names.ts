// What functions of the kernel are called in other kernels than the one at hand: scripts name them as an older one did.
import { machines } from "../../abi/registers.js";
import type { KernelFunctions } from "../kernel-functions.js";
import type { KernelView } from "../kernel-view.js";

/** A function that is not called, or not there, as older scripts think. */
interface OldFunction {
  /** What it is called in one kernel or another; scripts for all of them list the names side by side. */
  readonly names: readonly string[];
  /** What serves those who traced it by the first name, where that is gone. */
  readonly now?: string;
}

const oldFunctions: readonly OldFunction[] = [
  { names: ["sys_read"], now: "ksys_read, or the tracepoint tracepoint:syscalls:sys_enter_read" },
  {
    names: ["blk_account_io_start", "__blk_account_io_start"],
    now: "the tracepoint tracepoint:block:block_io_start",
  },
  { names: ["blk_account_io_done", "__blk_account_io_done"], now: "the tracepoint tracepoint:block:block_io_done" },
  { names: ["blk_account_io_completion"], now: "the tracepoint tracepoint:block:block_rq_complete" },
  { names: ["blk_start_request", "blk_mq_start_request"] },
];

/** Another attach point of the action that stands for the function in this kernel. */
export const synonymOf = (symbol: string, beside: readonly string[], functions: KernelFunctions): string | undefined =>
  oldFunctions
    .find(({ names }) => names.includes(symbol))
    ?.names.find((name) => name !== symbol && beside.includes(name) && functions.find(name).length > 0);

/** A sentence on what newer kernels have in its place. */
export function successorOf(symbol: string, { arch }: KernelView): string | undefined {
  const now = oldFunctions.find(({ names: [first] }) => first === symbol)?.now;
  if (now !== undefined) return `Newer kernels have ${now}.`;
  const syscall = /^(?:sys|SyS)_(\w+)$/.exec(symbol)?.[1];
  return syscall === undefined
    ? undefined
    : `Newer kernels have ${machines[arch].syscallPrefix}${syscall}, which is given the registers of the call; the tracepoint tracepoint:syscalls:sys_enter_${syscall} has its arguments.`;
}

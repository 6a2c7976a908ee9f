import { arm64, x86_64 } from "./generated/syscall-tables.js";
import type { Arch } from "./registers.js";
import { parseWordTable } from "./word-table.js";

/**
 * Functions in the kernel whose name is not that of the system call: the events of tracefs (`sys_enter_newfstat`) are
 * named after the function (SYSCALL_DEFINEn), the tables after the call. arch/x86/entry/syscalls/syscall_64.tbl and
 * include/uapi/asm-generic/unistd.h, v6.18.
 */
const functionNames: Readonly<Record<string, string>> = {
  newstat: "stat",
  newfstat: "fstat",
  newlstat: "lstat",
  newuname: "uname",
  sendfile64: "sendfile",
  umount: "umount2",
  fadvise64_64: "fadvise64",
};

/** System calls of one machine. */
export class SyscallTable {
  private readonly numbers: ReadonlyMap<string, number>;
  private names: ReadonlyMap<number, string> | undefined;

  constructor(arch: Arch) {
    this.numbers = new Map(parseWordTable(arch === "x86_64" ? x86_64 : arm64));
  }

  /** By the call's name or by that of its function in the kernel (`newfstat`). */
  number(name: string): number | undefined {
    return this.numbers.get(name) ?? this.numbers.get(functionNames[name] ?? "");
  }

  name(number: number): string | undefined {
    return this.byNumber().get(number);
  }

  byNumber(): ReadonlyMap<number, string> {
    this.names ??= new Map([...this.numbers].map(([name, value]) => [value, name]));
    return this.names;
  }
}

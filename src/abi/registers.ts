export type Arch = "x86_64" | "arm64";

/** What of a machine the compiler and the symbolizer must know. Offsets are bytes in struct pt_regs. */
export interface Machine {
  readonly arch: Arch;
  /** Size of struct pt_regs as BPF programs see it. */
  readonly ptRegsSize: number;
  /** Every register by the names that scripts use (`reg("ip")`). */
  readonly registers: Readonly<Record<string, number>>;
  /** Integer arguments of a function, in order. Not the registers of a system call's arguments. */
  readonly functionArguments: readonly number[];
  readonly returnValue: number;
  readonly instructionPointer: number;
  /** What struct pt_regs calls it. */
  readonly instructionPointerName: string;
  readonly stackPointer: number;
  readonly framePointer: number;
  /** Arguments of a system call, in order, in the pt_regs that sys_enter passes. */
  readonly syscallArguments: readonly number[];
  /** Its number; not one of a call if the event is of something else, e.g. of a return from a signal. */
  readonly syscallNumber: { readonly offset: number; readonly size: 4 | 8 };
  /** What the kernel's functions for system calls are called: this, then the call's name. They are given the registers. */
  readonly syscallPrefix: string;
  /** Bits in a member of struct thread_info that say that a system call is a 32-bit one, with other numbers. */
  readonly compat: { readonly member: string; readonly bits: number };
  /** Where the return address is on a function's first instruction: in a register, or in memory at a register. */
  readonly returnAddress: { readonly in: "register" | "memory"; readonly offset: number };
  /** Bytes from the stack pointer, on a function's first instruction, to its first argument that is passed there. */
  readonly stackArguments: number;
}

/** arch/x86/include/asm/ptrace.h (Linux 6.18), struct pt_regs of x86-64, in order, 8 bytes each. */
const x86Order = "r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_rax ip cs flags sp ss".split(" ");
const x86Offsets: Readonly<Record<string, number>> = Object.fromEntries(x86Order.map((name, i) => [name, 8 * i]));
const x86 = (name: string): number => x86Offsets[name] ?? 0;

const x86Machine: Machine = {
  arch: "x86_64",
  ptRegsSize: 168,
  registers: { ...x86Offsets, pc: x86("ip"), orig_ax: x86("orig_rax") },
  // Functions: System V ABI for x86-64, 3.2.3.
  functionArguments: ["di", "si", "dx", "cx", "r8", "r9"].map(x86),
  returnValue: x86("ax"),
  instructionPointer: x86("ip"),
  instructionPointerName: "ip",
  stackPointer: x86("sp"),
  framePointer: x86("bp"),
  // System calls: the same but for r10, because syscall overwrites rcx; arch/x86/entry/entry_64.S. The entry code copies
  // the number to orig_ax and sets ax to -ENOSYS.
  syscallArguments: ["di", "si", "dx", "r10", "r8", "r9"].map(x86),
  syscallNumber: { offset: x86("orig_rax"), size: 8 },
  syscallPrefix: "__x64_sys_",
  // TS_COMPAT: it came through the 32-bit entry; arch/x86/include/asm/thread_info.h.
  compat: { member: "status", bits: 2 },
  returnAddress: { in: "memory", offset: x86("sp") },
  // Above the return address that call pushed.
  stackArguments: 8,
};

/** arch/arm64/include/asm/ptrace.h (Linux 6.18): struct user_pt_regs (regs[31], sp, pc, pstate), orig_x0, syscallno. */
const armRegister = (n: number): number => 8 * n;
const armOffsets: Record<string, number> = { sp: 248, pc: 256, ip: 256, pstate: 264, lr: 240, fp: 232 };
for (let n = 0; n <= 30; n++) {
  armOffsets[`r${n}`] = armRegister(n);
  armOffsets[`x${n}`] = armRegister(n);
  armOffsets[`regs[${n}]`] = armRegister(n);
}
Object.assign(armOffsets, { compat_fp: armRegister(11), compat_sp: armRegister(13), compat_lr: armRegister(14) });

const armMachine: Machine = {
  arch: "arm64",
  // BPF's uprobe and kprobe programs see struct pt_regs; what follows syscallno is the kernel's own business.
  ptRegsSize: 288,
  registers: armOffsets,
  // Procedure Call Standard for the Arm 64-bit Architecture, 6.8.2.
  functionArguments: [0, 1, 2, 3, 4, 5, 6, 7].map(armRegister),
  returnValue: armRegister(0),
  instructionPointer: 256,
  instructionPointerName: "pc",
  stackPointer: 248,
  framePointer: armRegister(29),
  // x0 is overwritten by the result, so that the first argument is read from orig_x0 (asm/syscall.h).
  syscallArguments: [272, armRegister(1), armRegister(2), armRegister(3), armRegister(4), armRegister(5)],
  // pt_regs.syscallno, as syscall_get_nr() has it: x8 is whatever a signal interrupted when the handler returns.
  syscallNumber: { offset: 280, size: 4 },
  syscallPrefix: "__arm64_sys_",
  // TIF_32BIT: the process is one of AArch32; arch/arm64/include/asm/thread_info.h.
  compat: { member: "flags", bits: 1 << 22 },
  returnAddress: { in: "register", offset: armRegister(30) },
  stackArguments: 0,
};

export const machines: Readonly<Record<Arch, Machine>> = { x86_64: x86Machine, arm64: armMachine };

/** The machine by Node's name of it (`process.arch`). */
export function archOf(nodeArch: string): Arch | undefined {
  if (nodeArch === "x64") return "x86_64";
  return nodeArch === "arm64" ? "arm64" : undefined;
}

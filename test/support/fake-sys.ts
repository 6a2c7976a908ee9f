import type { Sys, SysArg, SyscallName } from "../../src/sys/sys.js";

export type FakeCall = (...args: SysArg[]) => number;

/** Answers system calls from a table and records them; memory has made-up addresses that {@link at} finds again. */
export class FakeSys implements Sys {
  readonly arch = "x86_64";
  readonly pageSize = 4096;
  readonly fdWatcher = undefined;
  readonly log: { readonly name: SyscallName; readonly args: readonly SysArg[] }[] = [];
  private readonly answers: Partial<Record<SyscallName, FakeCall>>;
  private readonly memories: Uint8Array[] = [];

  constructor(answers: Partial<Record<SyscallName, FakeCall>>) {
    this.answers = answers;
    this.addressOf = this.addressOf.bind(this);
  }

  call(name: SyscallName, ...args: SysArg[]): number {
    this.log.push({ name, args });
    return this.answers[name]?.(...args) ?? 0;
  }

  async callInThread(name: SyscallName, ...args: SysArg[]): Promise<number> {
    return this.call(name, ...args);
  }

  addressOf(bytes: Uint8Array): bigint {
    let index = this.memories.indexOf(bytes);
    if (index < 0) index = this.memories.push(bytes) - 1;
    return BigInt(index + 1) << 32n;
  }

  /** The memory at an address that {@link addressOf} gave. */
  at(address: bigint): Uint8Array {
    const bytes = this.memories[Number(address >> 32n) - 1];
    if (bytes === undefined) throw new Error(`no memory at ${address}`);
    return bytes;
  }

  view(): ArrayBuffer {
    throw new Error("the fake maps no memory");
  }
}

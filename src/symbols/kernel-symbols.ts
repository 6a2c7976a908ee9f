import { readFileSync } from "node:fs";
import { Kallsyms } from "../formats/kallsyms.js";
import { type Symbolized, unknown } from "./symbolized.js";

/** No function and hardly a variable is larger; what is farther from the next symbol below lies in no symbol. */
const maxOffset = 16n << 20n;

/** Below this are user addresses and the offsets of per-CPU variables, which kallsyms lists from 0 on (x86-64, arm64). */
const kernelHalf = 1n << 63n;

/**
 * Names of kernel addresses. `/proc/kallsyms` is read when the first name is wanted, which costs the kernel 100 ms, and
 * again when an address turns up that it did not have (a module or BPF program that was loaded since), at most once a
 * second.
 */
export class KernelSymbols {
  private readonly read: () => Uint8Array;
  private readonly now: () => number;
  private symbols: Kallsyms | undefined;
  private readAt = 0;

  constructor(
    read: () => Uint8Array = () => readFileSync("/proc/kallsyms"),
    now: () => number = () => performance.now(),
  ) {
    this.read = read;
    this.now = now;
  }

  /** Whether the kernel shows zeros instead of addresses: kptr_restrict is set, or CAP_SYSLOG is missing. */
  get hidden(): boolean {
    return this.load().hidden;
  }

  /** What names come from: another object once they were read again. */
  get state(): object | undefined {
    return this.symbols;
  }

  resolve(address: bigint): Symbolized {
    const wanted = BigInt.asUintN(64, address);
    if (wanted < kernelHalf) return unknown("unmapped");
    const found = this.lookUp(wanted);
    if (found.kind === "symbol" || found.reason !== "unmapped" || this.now() - this.readAt < 1000) return found;
    this.symbols = undefined;
    return this.lookUp(wanted);
  }

  /** Address of a symbol; undefined if there is none of that name, or addresses are hidden. */
  address(name: string): bigint | undefined {
    const symbols = this.load();
    if (symbols.hidden) return undefined;
    for (const { address } of symbols.find(name)) return address;
    return undefined;
  }

  private lookUp(address: bigint): Symbolized {
    const symbols = this.load();
    if (symbols.hidden) return unknown("hidden");
    const entry = symbols.at(address);
    if (entry === undefined || address - entry.address > maxOffset) return unknown("unmapped");
    return { kind: "symbol", name: entry.name, offset: address - entry.address, module: entry.module };
  }

  private load(): Kallsyms {
    if (this.symbols === undefined) {
      this.symbols = Kallsyms.parse(this.read());
      this.readAt = this.now();
    }
    return this.symbols;
  }
}

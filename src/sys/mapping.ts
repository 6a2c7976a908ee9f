import type { Fd } from "./fd.js";
import type { Sys } from "./sys.js";
import { check } from "./syscall-error.js";

// include/uapi/asm-generic/mman-common.h.
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FIXED = 0x10;

/**
 * Memory that a descriptor gave, until it is disposed. Then nobody may have a view of its buffer any more: V8 does not let
 * go of memory that came from outside (it cannot be transferred), and reading it would end the process.
 */
export class Mapping implements Disposable {
  private readonly sys: Sys;
  private readonly fd: Fd;
  readonly address: number;
  private readonly length: number;
  private readonly protection: number;
  private held: ArrayBuffer | undefined;

  constructor(sys: Sys, fd: Fd, offset: number, length: number, access: "read" | "write") {
    this.sys = sys;
    this.fd = fd;
    this.length = length;
    this.protection = access === "read" ? PROT_READ : PROT_READ | PROT_WRITE;
    this.address = this.map(0, MAP_SHARED, offset);
    this.held = sys.view(this.address, length);
  }

  get buffer(): ArrayBuffer {
    if (this.held === undefined) throw new Error("internal: a mapping is used after it was unmapped");
    return this.held;
  }

  /** Has another part of what the descriptor gives in the same place. */
  move(offset: number): void {
    if (this.held !== undefined) this.map(this.address, MAP_SHARED | MAP_FIXED, offset);
  }

  private map(address: number, flags: number, offset: number): number {
    const { sys, fd, length, protection } = this;
    const result = sys.call("mmap", address, length, protection, flags, fd.raw, offset);
    return check(result, () => `mmap(${length} bytes of ${fd.what})`);
  }

  [Symbol.dispose](): void {
    if (this.held === undefined) return;
    this.held = undefined;
    this.sys.call("munmap", this.address, this.length);
  }
}

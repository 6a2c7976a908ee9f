/** The only file that knows the foreign function interface of the runtime: koffi. */
import { createRequire } from "node:module";
import { EINTR } from "../abi/errno.js";
import { type Arch, archOf } from "../abi/registers.js";
import type { AddressOf, Memory } from "../abi/struct.js";
import { BeetraceError } from "../base/errors.js";
import { type FdWatcher, type Sys, type SysArg, type SyscallName, syscallNumbers } from "./sys.js";

/** What of koffi is used. */
interface Koffi {
  load(library: null): {
    func(name: string, result: string, args: readonly string[]): RawCall;
  };
  errno(): number;
  address(value: Uint8Array | ArrayBuffer): bigint;
  view(address: number, length: number): ArrayBuffer;
}

type RawArg = number | bigint;
interface RawCall {
  (...args: RawArg[]): number | bigint;
  async(...args: [...RawArg[], (error: unknown, result: number | bigint) => void]): void;
}

/** This system's machine and kernel; a typed error where Linux, the machine or the FFI are missing. */
export function openSys(options: { readonly fdWatcher?: FdWatcher | undefined } = {}): Sys {
  const arch = process.platform === "linux" ? archOf(process.arch) : undefined;
  if (arch === undefined) {
    throw new BeetraceError(`no support for ${process.platform} on ${process.arch}`, {
      hint: "beetrace traces Linux on x86-64 and arm64",
    });
  }
  return new KoffiSys(loadKoffi(), arch, options.fdWatcher);
}

class KoffiSys implements Sys {
  readonly arch: Arch;
  readonly fdWatcher: FdWatcher | undefined;
  readonly addressOf: AddressOf;
  private readonly koffi: Koffi;
  private readonly numbers: Readonly<Record<SyscallName, number>>;
  private readonly syscall: RawCall;
  private readonly library: ReturnType<Koffi["load"]>;
  private page = 0;
  /** The last call's arguments: being stored after the call keeps their memory alive while the kernel uses it. */
  private readonly held: SysArg[] = [];

  constructor(koffi: Koffi, arch: Arch, fdWatcher: FdWatcher | undefined) {
    this.koffi = koffi;
    this.arch = arch;
    this.fdWatcher = fdWatcher;
    this.numbers = syscallNumbers[arch];
    this.addressOf = koffi.address;
    this.library = koffi.load(null);
    // libc's syscall(2): long syscall(long, ...). Declared with plain integers: a call then costs 0.28 us.
    this.syscall = this.library.func("syscall", "int64_t", Array<string>(7).fill("int64_t"));
  }

  get pageSize(): number {
    if (this.page === 0) this.page = Number(this.library.func("getpagesize", "int", [])());
    return this.page;
  }

  call(name: SyscallName, a?: SysArg, b?: SysArg, c?: SysArg, d?: SysArg, e?: SysArg, f?: SysArg): number {
    const result = Number(
      this.syscall(this.numbers[name], this.raw(a), this.raw(b), this.raw(c), this.raw(d), this.raw(e), this.raw(f)),
    );
    const errno = result < 0 ? this.koffi.errno() : 0;
    this.held.length = 0;
    this.held.push(a, b, c, d, e, f);
    return result < 0 ? -errno : result;
  }

  callInThread(name: SyscallName, a?: SysArg, b?: SysArg, c?: SysArg, d?: SysArg, e?: SysArg): Promise<number> {
    const args = [a, b, c, d, e];
    return new Promise((resolve) => {
      this.syscall.async(this.numbers[name], ...args.map((arg) => this.raw(arg)), 0, (error, result) => {
        // Named here, `args` and the memory in it live as long as the call.
        this.held.splice(0, this.held.length, ...args);
        resolve(error !== null || Number(result) < 0 ? -EINTR : Number(result));
      });
    });
  }

  view(address: number, length: number): ArrayBuffer {
    return this.koffi.view(address, length);
  }

  private raw(arg: SysArg): RawArg {
    if (typeof arg === "number" || typeof arg === "bigint") return arg;
    return arg === undefined ? 0 : this.koffi.address((arg satisfies Memory).bytes);
  }
}

/**
 * koffi's own entry point reads Node's ELF header and looks at many files to find its native part, which takes 8 of the
 * 10 ms; the place is known, so it is tried first. dlopen(3) refuses the one that was built for the other C library.
 */
function loadKoffi(): Koffi {
  const require = createRequire(import.meta.url);
  const native = `@koromix/koffi-linux-${process.arch}`;
  // npm puts both packages side by side; others (pnpm) let only koffi itself see its native part.
  const requirers = [() => require, () => createRequire(require.resolve("koffi"))];
  for (const requirer of requirers) {
    for (const libc of ["linux", "musl"]) {
      try {
        return requirer()(`${native}/${libc}_${process.arch}/koffi.node`) as Koffi;
      } catch {
        // The next one then, or koffi's own way, which reports what is wrong.
      }
    }
  }
  try {
    return require("koffi") as Koffi;
  } catch (cause) {
    throw new BeetraceError("cannot load koffi, which makes system calls for beetrace", {
      cause,
      hint: "run npm install where beetrace is installed",
    });
  }
}

import type { Sys } from "./sys.js";
import { check } from "./syscall-error.js";

// include/uapi/linux/fcntl.h (F_LINUX_SPECIFIC_BASE + 6) and asm-generic/fcntl.h.
const F_DUPFD_CLOEXEC = 1030;

/** A file descriptor that closes once and cannot be used afterwards. Never 0: the BPF ABI reads 0 as "not given". */
export class Fd implements Disposable {
  readonly what: string;
  private readonly sys: Sys;
  private number: number;

  private constructor(sys: Sys, raw: number, what: string) {
    this.sys = sys;
    this.number = raw;
    this.what = what;
    sys.fdWatcher?.opened(raw, what);
  }

  /** Takes over a descriptor, the result of a system call. `what` is for messages: `map @x`. */
  static own(sys: Sys, raw: number, what: string): Fd {
    if (raw > 2) return new Fd(sys, raw, what);
    // A process that was started with its standard streams closed gets their numbers. Not only 0 is bad: what anybody
    // prints would go into 1 and 2.
    const moved = sys.call("fcntl", raw, F_DUPFD_CLOEXEC, 3);
    sys.call("close", raw);
    return new Fd(sys, check(moved, `fcntl(F_DUPFD_CLOEXEC) of ${what}`), what);
  }

  get closed(): boolean {
    return this.number < 0;
  }

  /** The number, for a system call; of a closed one it is a bug to ask. */
  get raw(): number {
    if (this.number < 0) throw new Error(`internal: ${this.what} is used after it was closed`);
    return this.number;
  }

  /** Gives the descriptor away: the caller closes it. */
  take(): number {
    const { raw } = this;
    this.number = -1;
    this.sys.fdWatcher?.closed(raw);
    return raw;
  }

  /** Errors of close(2) are ignored: the descriptor is gone whatever it says (close(2), NOTES). */
  [Symbol.dispose](): void {
    if (this.number < 0) return;
    this.sys.call("close", this.take());
  }
}

import { ProcessRecords } from "../events/process-records.js";
import type { PerfRecord } from "../formats/perf-records.js";
import { readCpus } from "../kernel/cpus.js";
import { allProcesses } from "../kernel/process-files.js";
import type { UserSymbols } from "../symbols/user-symbols.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";

/** Processes that are there already are looked at only if there are no more: some 0.2 ms each. */
const fewProcesses = 512;
/** Milliseconds at a time that they are looked at. */
const sliceMilliseconds = 3;

/** Has the kernel tell what processes map, so that the addresses of those that have ended have names. */
export class ProcessWatch implements Disposable {
  /** Why the kernel does not tell. */
  readonly refused: string | undefined;
  private readonly told: ProcessRecords | undefined;
  private following: Promise<void> | undefined;
  private stopped = false;

  constructor(sys: Sys) {
    try {
      this.told = ProcessRecords.open(sys, readCpus("online"));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.refused = error.message;
    }
  }

  /** Undefined where the kernel does not tell. */
  get records(): (() => readonly PerfRecord[]) | undefined {
    const { told } = this;
    return told === undefined ? undefined : () => told.read();
  }

  /**
   * Reads what is told until {@link stop}, and what the processes that are there already have mapped: of some within
   * `milliseconds` at once.
   */
  follow(users: UserSymbols, milliseconds = 0): void {
    const { told } = this;
    if (told === undefined) return;
    this.following = told.follow(() => users.refresh());
    void this.seed(users, milliseconds);
  }

  private async seed(users: UserSymbols, milliseconds: number): Promise<void> {
    const pids = allProcesses();
    if (pids.length > fewProcesses) return;
    let until = milliseconds === 0 ? 0 : performance.now() + milliseconds;
    for (const pid of pids) {
      if (performance.now() >= until) {
        await new Promise((resolve) => setImmediate(resolve));
        until = performance.now() + sliceMilliseconds;
      }
      if (this.stopped) return;
      users.seed(pid);
    }
  }

  /** How many records the kernel had no room for, if it says. */
  lost(): bigint | undefined {
    return this.told?.lost();
  }

  /** What has been told until now can still be read. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.told?.stop();
    await this.following;
  }

  [Symbol.dispose](): void {
    this.told?.[Symbol.dispose]();
  }
}

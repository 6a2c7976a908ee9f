import { EINVAL, ENODEV } from "../abi/errno.js";
import {
  attrFlags,
  CLOCK_MONOTONIC,
  PERF_COUNT_SW_DUMMY,
  PERF_FORMAT_LOST,
  PERF_SAMPLE_TIME,
  PERF_TYPE_SOFTWARE,
} from "../abi/perf.js";
import { Disposables } from "../base/disposable.js";
import { FormatError } from "../base/errors.js";
import { type PerfRecord, parsePerfRecord } from "../formats/perf-records.js";
import type { Fd } from "../sys/fd.js";
import { perfEventOpen, perfReadLost } from "../sys/perf-calls.js";
import { waitReadable } from "../sys/poll.js";
import { clearEventFd, eventFd, signalEventFd } from "../sys/process-calls.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";
import { PerfRing } from "./perf-ring.js";

/** Bytes of the rings of all CPUs together, and of one at least and at most: a short process takes some 1,000 bytes. */
const allRings = 16 << 20;
const leastRing = 64 << 10;
const mostRing = 512 << 10;

/**
 * So many bytes of records wake the reader, about those of one process, though not more often than after the rest: files
 * should be opened while their process is there. Fewer bytes are read after the wait. (A wake-up for each record has 1,000
 * short processes take a quarter longer; so it is 3 %, and 0.13 s of CPU time here.)
 */
const wakeUpBytes = 1024;
const restMilliseconds = 10;
const waitMilliseconds = 100;

const wanted =
  attrFlags.mmap | attrFlags.mmap2 | attrFlags.comm | attrFlags.commExec | attrFlags.task | attrFlags.sampleIdAll;

/**
 * What the kernel tells of all processes while this is open: what they map to run, execve, fork and exit, in order of
 * time. An event that counts nothing (PERF_COUNT_SW_DUMMY) on each CPU carries it. Events limited to a process and its
 * children would be copied at each of their forks, once for each CPU; so all are told, and whoever is asked about is known.
 */
export class ProcessRecords implements Disposable {
  private readonly sys: Sys;
  private readonly owned = new Disposables();
  private readonly rings: PerfRing[] = [];
  private readonly fds: Fd[] = [];
  /** The kernel counts what finds no room. */
  private counts = true;
  /** Later than the beginning of the drain that found them: another CPU may still be about to tell of something earlier. */
  private early: PerfRecord[] = [];
  private stopping = false;
  private wake: Fd | undefined;
  private endRest: (() => void) | undefined;

  private constructor(sys: Sys) {
    this.sys = sys;
  }

  /** Throws SyscallError where the kernel refuses: without CAP_PERFMON, and in many containers. */
  static open(sys: Sys, cpus: readonly number[]): ProcessRecords {
    const records = new ProcessRecords(sys);
    try {
      const size = ringSize(sys.pageSize, cpus.length);
      for (const cpu of cpus) {
        const opened = openEvent(sys, cpu);
        if (opened === undefined) continue;
        const { event } = opened;
        records.counts &&= opened.counts;
        records.fds.push(records.owned.use(event));
        records.rings.push(records.owned.use(PerfRing.map(sys, event, size)));
      }
      return records;
    } catch (error) {
      records[Symbol.dispose]();
      throw error;
    }
  }

  /** What has been told since the last time, oldest first. */
  read(): readonly PerfRecord[] {
    const begun = process.hrtime.bigint();
    const found = this.early;
    for (const ring of this.rings) {
      try {
        ring.drain((bytes) => {
          const record = parsePerfRecord(bytes);
          if (record !== undefined) found.push(record);
        });
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        found.push({ kind: "lost", time: begun, count: 1n });
      }
    }
    if (found.length === 0) return found;
    found.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    const late = found.findIndex(({ time }) => time > begun);
    this.early = late < 0 ? [] : found.splice(late);
    return found;
  }

  /**
   * How many records have found no room, as the kernel counts since Linux 6.0; undefined before, when only a record that
   * comes later tells of them.
   */
  lost(): bigint | undefined {
    if (!this.counts) return undefined;
    return this.fds.reduce((sum, event) => sum + perfReadLost(this.sys, event), 0n);
  }

  /** Calls `handler` soon after there is something to read, until {@link stop}; settles then. */
  async follow(handler: () => void): Promise<void> {
    const { sys } = this;
    const owned = new Disposables();
    const wake = owned.use(eventFd(sys, "wake-up of the reader of mappings"));
    this.wake = wake;
    // process.exit() in the middle of it: the thread must come back.
    const atExit = (): void => signalEventFd(sys, wake);
    process.on("exit", atExit);
    owned.defer(() => process.off("exit", atExit));
    try {
      while (!this.stopping) {
        await waitReadable(sys, [...this.fds, wake], waitMilliseconds);
        if (this.stopping) break;
        handler();
        await this.rest();
      }
      clearEventFd(sys, wake);
    } finally {
      this.wake = undefined;
      owned[Symbol.dispose]();
    }
  }

  /** Ends following; what is in the rings can still be read. */
  stop(): void {
    if (this.stopping) return;
    this.stopping = true;
    if (this.wake !== undefined) signalEventFd(this.sys, this.wake);
    this.endRest?.();
  }

  private rest(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.endRest?.(), restMilliseconds);
      this.endRest = () => {
        clearTimeout(timer);
        this.endRest = undefined;
        resolve();
      };
    });
  }

  [Symbol.dispose](): void {
    this.owned[Symbol.dispose]();
  }
}

function ringSize(pageSize: number, cpus: number): number {
  let size = Math.max(leastRing, pageSize);
  while (2 * size <= Math.min(mostRing, allRings / Math.max(cpus, 1))) size *= 2;
  return size;
}

/**
 * The most that the kernel knows: it refuses flags and formats that it does not know with EINVAL. Undefined for a CPU that
 * was taken away meanwhile.
 */
function openEvent(sys: Sys, cpu: number): { readonly event: Fd; readonly counts: boolean } | undefined {
  const open = (flags: bigint, counts: boolean): { readonly event: Fd; readonly counts: boolean } => {
    const event = perfEventOpen(sys, {
      attr: {
        type: PERF_TYPE_SOFTWARE,
        config: BigInt(PERF_COUNT_SW_DUMMY),
        sample_type: PERF_SAMPLE_TIME,
        read_format: counts ? PERF_FORMAT_LOST : 0n,
        // `watermark` makes bytes of what wakes us.
        flags: flags | attrFlags.watermark | attrFlags.useClockId,
        wakeup_events: wakeUpBytes,
        clockid: CLOCK_MONOTONIC,
      },
      pid: -1,
      cpu,
      what: `mappings of processes on CPU ${cpu}`,
    });
    return { event, counts };
  };
  const withBuildIds = wanted | attrFlags.buildId;
  for (const [flags, counts] of [[withBuildIds, true] as const, [withBuildIds, false] as const]) {
    try {
      return open(flags, counts);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (error.errno === ENODEV) return undefined;
      if (error.errno !== EINVAL) throw error;
    }
  }
  return open(wanted, false);
}

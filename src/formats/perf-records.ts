import { decodeBytes } from "../base/byte-text.js";
import { ByteReader } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";

/** A process has mapped something, or made it executable. */
export interface MapRecord {
  readonly kind: "map";
  readonly time: bigint;
  readonly pid: number;
  readonly start: bigint;
  /** Exclusive. */
  readonly end: bigint;
  /** Bytes from the start of the file. */
  readonly offset: bigint;
  readonly execute: boolean;
  /** `major:minor` in hexadecimal, as /proc/PID/maps has it; like the inode, only where there is no build id. */
  readonly device: string;
  readonly inode: bigint;
  readonly generation: bigint;
  /** Hexadecimal; since Linux 5.12, if it was asked for. */
  readonly buildId: string | undefined;
  /** As the process sees it; `[vdso]` ... for what is no file; undefined if anonymous, or if the kernel could not say. */
  readonly path: string | undefined;
  readonly deleted: boolean;
}

/**
 * What the kernel tells of processes through a perf event. Times are nanoseconds of the clock that the event was opened
 * with; ids are those of the pid namespace of who opened it, 0 for a process outside of it.
 */
export type PerfRecord =
  | MapRecord
  /** The process runs another program: nothing of what it had mapped is there any more. */
  | { readonly kind: "exec"; readonly time: bigint; readonly pid: number }
  /** A new process, which has all that its parent has mapped. */
  | { readonly kind: "fork"; readonly time: bigint; readonly pid: number; readonly parent: number }
  /** The first thread of a process has ended; others may go on. */
  | { readonly kind: "exit"; readonly time: bigint; readonly pid: number }
  /** So many records found no room. */
  | { readonly kind: "lost"; readonly time: bigint; readonly count: bigint };

/** enum perf_event_type. */
const PERF_RECORD_LOST = 2;
const PERF_RECORD_COMM = 3;
const PERF_RECORD_EXIT = 4;
const PERF_RECORD_FORK = 7;
const PERF_RECORD_MMAP2 = 10;
/** Of `misc`; bit 13 belongs to COMM, bit 14 to MMAP2. */
const PERF_RECORD_MISC_COMM_EXEC = 1 << 13;
const PERF_RECORD_MISC_MMAP_BUILD_ID = 1 << 14;
const PROT_EXEC = 4;
const headerSize = 8;
/** What `sample_id_all` puts behind each record: the time. */
const timeSize = 8;

/**
 * One record of a perf event's ring, header included: `{ u32 type; u16 misc; u16 size; ... }` (perf_event_open(2);
 * uapi/linux/perf_event.h, enum perf_event_type, Linux 6.18). The event was opened with sample_id_all and
 * PERF_SAMPLE_TIME. Undefined for a record that tells nothing of interest, such as a new thread.
 *
 *   LOST       8 u64 id, u64 lost
 *   COMM       8 u32 pid, u32 tid, char comm[]
 *   EXIT, FORK 8 u32 pid, u32 ppid, u32 tid, u32 ptid, u64 time
 *   MMAP2      8 u32 pid, u32 tid, u64 addr, u64 len, u64 pgoff,
 *             40 u32 maj, u32 min, u64 ino, u64 ino_generation, or u8 build_id_size, 3 unused, u8 build_id[20],
 *             64 u32 prot, u32 flags, char filename[]
 */
export function parsePerfRecord(bytes: Uint8Array): PerfRecord | undefined {
  const reader = new ByteReader(bytes, "perf record");
  const size = reader.u16(6);
  if (size < headerSize + timeSize || size > reader.length)
    throw new FormatError(`perf record: it has ${size} of ${reader.length} bytes`);
  const misc = reader.u16(4);
  const time = reader.u64(size - timeSize);
  switch (reader.u32(0)) {
    case PERF_RECORD_LOST:
      return { kind: "lost", time, count: reader.u64(16) };
    case PERF_RECORD_COMM:
      return (misc & PERF_RECORD_MISC_COMM_EXEC) === 0 ? undefined : { kind: "exec", time, pid: reader.u32(8) };
    case PERF_RECORD_EXIT: {
      const pid = reader.u32(8);
      return pid === reader.u32(16) ? { kind: "exit", time, pid } : undefined;
    }
    case PERF_RECORD_FORK: {
      const [pid, parent] = [reader.u32(8), reader.u32(12)];
      return pid === parent ? undefined : { kind: "fork", time, pid, parent };
    }
    case PERF_RECORD_MMAP2:
      return mapRecord(reader, misc, size - timeSize, time);
    default:
      return undefined;
  }
}

function mapRecord(reader: ByteReader, misc: number, end: number, time: bigint): MapRecord {
  const start = reader.u64(16);
  const identity =
    (misc & PERF_RECORD_MISC_MMAP_BUILD_ID) === 0
      ? {
          device: `${hex(reader.u32(40))}:${hex(reader.u32(44))}`,
          inode: reader.u64(48),
          generation: reader.u64(56),
          buildId: undefined,
        }
      : { device: "00:00", inode: 0n, generation: 0n, buildId: buildIdOf(reader) };
  return {
    kind: "map",
    time,
    pid: reader.u32(8),
    start,
    end: BigInt.asUintN(64, start + reader.u64(24)),
    offset: reader.u64(32),
    execute: (reader.u32(64) & PROT_EXEC) !== 0,
    ...identity,
    ...pathOf(reader.slice(72, end - 72)),
  };
}

function buildIdOf(reader: ByteReader): string | undefined {
  const bytes = reader.slice(44, Math.min(reader.u8(40), 20));
  return bytes.length === 0 ? undefined : Buffer.from(bytes).toString("hex");
}

function pathOf(bytes: Uint8Array): Pick<MapRecord, "path" | "deleted"> {
  const text = decodeBytes(bytes);
  const end = text.indexOf("\0");
  const name = end < 0 ? text : text.slice(0, end);
  // `//anon`, and the kernel's excuses: `//enomem`, `//toolong` (kernel/events/core.c, perf_event_mmap_event()).
  if (name === "" || name.startsWith("//")) return { path: undefined, deleted: false };
  return name.endsWith(" (deleted)") ? { path: name.slice(0, -10), deleted: true } : { path: name, deleted: false };
}

/** As show_map_vma() writes device numbers, fs/proc/task_mmu.c. */
const hex = (n: number): string => n.toString(16).padStart(2, "0");

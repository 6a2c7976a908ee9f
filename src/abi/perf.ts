/** perf_event_open(2): include/uapi/linux/perf_event.h, Linux 6.18. */
import { struct } from "./struct.js";

/** enum perf_type_id. */
export const PERF_TYPE_HARDWARE = 0;
export const PERF_TYPE_SOFTWARE = 1;
export const PERF_TYPE_TRACEPOINT = 2;
export const PERF_TYPE_HW_CACHE = 3;
export const PERF_TYPE_BREAKPOINT = 5;

/** enum perf_sw_ids. */
export const PERF_COUNT_SW_CPU_CLOCK = 0;
export const PERF_COUNT_SW_DUMMY = 9;
/** enum perf_hw_id. */
export const PERF_COUNT_HW_CPU_CYCLES = 0;

/** Of perf_event_open(2). */
export const PERF_FLAG_FD_CLOEXEC = 8;

/** Bits of the word at offset 40, from bit 0 on. */
export const attrFlags = {
  disabled: 1n,
  inherit: 1n << 1n,
  mmap: 1n << 8n,
  comm: 1n << 9n,
  freq: 1n << 10n,
  task: 1n << 13n,
  watermark: 1n << 14n,
  sampleIdAll: 1n << 18n,
  /** Since Linux 3.16. */
  mmap2: 1n << 23n,
  commExec: 1n << 24n,
  /** Since Linux 4.1. */
  useClockId: 1n << 25n,
  /** Since Linux 5.12. */
  buildId: 1n << 34n,
} as const;

/** enum perf_event_read_format: read(2) gives the count, and behind it how many records found no room. Since Linux 6.0. */
export const PERF_FORMAT_LOST = 1n << 4n;

/** enum perf_event_sample_format: with `sampleIdAll` every record ends with its time, a u64. */
export const PERF_SAMPLE_TIME = 1n << 2n;

/** uapi/linux/hw_breakpoint.h: bits of bp_type. */
export const HW_BREAKPOINT_W = 2;
export const HW_BREAKPOINT_X = 4;

// _IO('$', n): 0x2400 + n, include/uapi/asm-generic/ioctl.h.
export const PERF_EVENT_IOC_ENABLE = 0x2400;
export const PERF_EVENT_IOC_DISABLE = 0x2401;
/** _IOW('$', 8, __u32). */
export const PERF_EVENT_IOC_SET_BPF = 0x40042408;

/** PERF_ATTR_SIZE_VER5, known since Linux 4.1. */
const attrSize = 112;

/** struct perf_event_attr; `size` must say 112. Members that share bytes: config1 = kprobe_func, uprobe_path, bp_addr. */
export const perfEventAttr = struct("perf_event_attr", attrSize, {
  type: [0, "u32"],
  size: [4, "u32"],
  config: [8, "u64"],
  sample_period: [16, "u64"],
  sample_freq: [16, "u64"],
  sample_type: [24, "u64"],
  read_format: [32, "u64"],
  /** The bit fields from `disabled` on. */
  flags: [40, "u64"],
  wakeup_events: [48, "u32"],
  bp_type: [52, "u32"],
  kprobe_func: [56, "pointer"],
  uprobe_path: [56, "pointer"],
  bp_addr: [56, "u64"],
  probe_offset: [64, "u64"],
  bp_len: [64, "u64"],
  clockid: [92, "i32"],
});

/** Of clock_gettime(2). */
export const CLOCK_MONOTONIC = 1;

/**
 * The first page of a mapped event, struct perf_event_mmap_page: where the kernel writes next and where we read next, both
 * in bytes since the beginning; the ring itself begins on the next page.
 */
export const perfPage = { head: 1024, tail: 1032 } as const;

/** bpf(2): include/uapi/linux/bpf.h, Linux 6.18. All of it is ABI; abi.test.ts compares it with the running kernel's BTF. */
import { struct } from "./struct.js";

/** enum bpf_cmd. */
export const BPF_MAP_CREATE = 0;
export const BPF_MAP_LOOKUP_ELEM = 1;
export const BPF_MAP_UPDATE_ELEM = 2;
export const BPF_MAP_DELETE_ELEM = 3;
export const BPF_MAP_GET_NEXT_KEY = 4;
export const BPF_PROG_LOAD = 5;
export const BPF_OBJ_PIN = 6;
export const BPF_PROG_TEST_RUN = 10;
export const BPF_PROG_GET_NEXT_ID = 11;
export const BPF_PROG_GET_FD_BY_ID = 13;
export const BPF_OBJ_GET_INFO_BY_FD = 15;
export const BPF_RAW_TRACEPOINT_OPEN = 17;
export const BPF_BTF_LOAD = 18;
export const BPF_BTF_GET_FD_BY_ID = 19;
export const BPF_MAP_LOOKUP_AND_DELETE_ELEM = 21;
export const BPF_MAP_FREEZE = 22;
export const BPF_BTF_GET_NEXT_ID = 23;
export const BPF_MAP_LOOKUP_BATCH = 24;
export const BPF_MAP_LOOKUP_AND_DELETE_BATCH = 25;
export const BPF_LINK_CREATE = 28;
export const BPF_LINK_GET_NEXT_ID = 31;
export const BPF_ENABLE_STATS = 32;
export const BPF_ITER_CREATE = 33;

/** enum bpf_map_type. */
export const BPF_MAP_TYPE_HASH = 1;
export const BPF_MAP_TYPE_ARRAY = 2;
export const BPF_MAP_TYPE_PERCPU_HASH = 5;
export const BPF_MAP_TYPE_PERCPU_ARRAY = 6;
export const BPF_MAP_TYPE_STACK_TRACE = 7;
export const BPF_MAP_TYPE_CGROUP_ARRAY = 8;
export const BPF_MAP_TYPE_LRU_HASH = 9;
export const BPF_MAP_TYPE_LRU_PERCPU_HASH = 10;
export const BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;
export const BPF_MAP_TYPE_HASH_OF_MAPS = 13;
export const BPF_MAP_TYPE_RINGBUF = 27;

/** Map flags. */
export const BPF_F_NO_PREALLOC = 1;
/** Stack maps hold struct bpf_stack_build_id; since 4.17. */
export const BPF_F_STACK_BUILD_ID = 1 << 5;
export const BPF_F_RDONLY_PROG = 1 << 7;
/** User space can map the values of an array; since 5.5. */
export const BPF_F_MMAPABLE = 1 << 10;
/** Arrays of different lengths can be elements of one map of maps; since 5.10. */
export const BPF_F_INNER_MAP = 1 << 12;

/** Flags of BPF_MAP_UPDATE_ELEM. */
export const BPF_ANY = 0;
export const BPF_NOEXIST = 1;
export const BPF_EXIST = 2;

/** enum bpf_prog_type, by the names of abi/program-type.ts. */
export const progTypes = {
  kprobe: 2,
  tracepoint: 5,
  perf_event: 7,
  raw_tracepoint: 17,
  tracing: 26,
  /** Run by user space alone (BPF_PROG_TEST_RUN, since 5.14), and always one that may sleep. */
  syscall: 31,
} as const;

/** enum bpf_attach_type, those of links that program-type.ts does not have. */
export const BPF_PERF_EVENT = 41;

/** Flags of kprobe_multi and uprobe_multi links. */
export const BPF_F_KPROBE_MULTI_RETURN = 1;
export const BPF_F_UPROBE_MULTI_RETURN = 1;

/** Flags of BPF_PROG_LOAD. */
export const BPF_F_SLEEPABLE = 1 << 4;

/** BPF_OBJ_NAME_LEN, the NUL included. */
const nameLength = 16;

// The variants of union bpf_attr. Sizes end after the last field that we may set: an older kernel refuses bytes that it
// does not know unless they are zero (bpf_check_uarg_tail_zero()), and a shorter attr is read as zero behind its end.
export const mapCreateAttr = struct("bpf_attr", 48, {
  map_type: [0, "u32"],
  key_size: [4, "u32"],
  value_size: [8, "u32"],
  max_entries: [12, "u32"],
  map_flags: [16, "u32"],
  inner_map_fd: [20, "u32"],
  map_name: [28, `text${nameLength}`],
});

export const mapElementAttr = struct("bpf_attr", 32, {
  map_fd: [0, "u32"],
  key: [8, "pointer"],
  value: [16, "pointer"],
  flags: [24, "u64"],
});

/** BPF_MAP_*_BATCH: `bpf_attr.batch`. */
export const mapBatchAttr = struct("bpf_attr", 56, {
  "batch.in_batch": [0, "pointer"],
  "batch.out_batch": [8, "pointer"],
  "batch.keys": [16, "pointer"],
  "batch.values": [24, "pointer"],
  "batch.count": [32, "u32"],
  "batch.map_fd": [36, "u32"],
  "batch.elem_flags": [40, "u64"],
  "batch.flags": [48, "u64"],
});

export const progLoadAttr = struct("bpf_attr", 128, {
  prog_type: [0, "u32"],
  insn_cnt: [4, "u32"],
  insns: [8, "pointer"],
  license: [16, "pointer"],
  log_level: [24, "u32"],
  log_size: [28, "u32"],
  log_buf: [32, "pointer"],
  prog_flags: [44, "u32"],
  prog_name: [48, `text${nameLength}`],
  expected_attach_type: [68, "u32"],
  prog_btf_fd: [72, "u32"],
  func_info_rec_size: [76, "u32"],
  func_info: [80, "pointer"],
  func_info_cnt: [88, "u32"],
  attach_btf_id: [108, "u32"],
  // In a union: a program's descriptor, or that of a module's BTF.
  attach_prog_fd: [112, "u32"],
});

/** BPF_PROG_TEST_RUN: `bpf_attr.test`. */
export const testRunAttr = struct("bpf_attr", 80, {
  "test.prog_fd": [0, "u32"],
  "test.retval": [4, "u32"],
  "test.ctx_size_in": [40, "u32"],
  "test.ctx_in": [48, "pointer"],
  "test.flags": [64, "u32"],
  "test.cpu": [68, "u32"],
});

/** BPF_OBJ_GET_INFO_BY_FD: `bpf_attr.info`. */
export const infoAttr = struct("bpf_attr", 16, {
  "info.bpf_fd": [0, "u32"],
  "info.info_len": [4, "u32"],
  "info.info": [8, "pointer"],
});

export const pinAttr = struct("bpf_attr", 16, {
  pathname: [0, "pointer"],
  bpf_fd: [8, "u32"],
});

/** BPF_*_GET_FD_BY_ID; its name differs by what it is of. */
export const fdByIdAttr = struct("bpf_attr", 12, { prog_id: [0, "u32"] });

/** BPF_*_GET_NEXT_ID. */
export const nextIdAttr = struct("bpf_attr", 8, {
  start_id: [0, "u32"],
  next_id: [4, "u32"],
});

/** BPF_RAW_TRACEPOINT_OPEN: `bpf_attr.raw_tracepoint`; the cookie came with Linux 6.10. */
export const rawTracepointAttr = struct("bpf_attr", 24, {
  "raw_tracepoint.name": [0, "pointer"],
  "raw_tracepoint.prog_fd": [8, "u32"],
  "raw_tracepoint.cookie": [16, "u64"],
});

export const btfLoadAttr = struct("bpf_attr", 32, {
  btf: [0, "pointer"],
  btf_log_buf: [8, "pointer"],
  btf_size: [16, "u32"],
  btf_log_size: [20, "u32"],
  btf_log_level: [24, "u32"],
});

/** BPF_LINK_CREATE: `bpf_attr.link_create`, one description per kind of link because they share bytes. */
export const linkPerfEventAttr = struct("bpf_attr", 24, {
  "link_create.prog_fd": [0, "u32"],
  "link_create.target_fd": [4, "u32"],
  "link_create.attach_type": [8, "u32"],
  "link_create.flags": [12, "u32"],
  "link_create.perf_event.bpf_cookie": [16, "u64"],
});

export const linkTracingAttr = struct("bpf_attr", 32, {
  "link_create.prog_fd": [0, "u32"],
  "link_create.target_fd": [4, "u32"],
  "link_create.attach_type": [8, "u32"],
  "link_create.tracing.target_btf_id": [16, "u32"],
  "link_create.tracing.cookie": [24, "u64"],
});

export const linkKprobeMultiAttr = struct("bpf_attr", 48, {
  "link_create.prog_fd": [0, "u32"],
  "link_create.attach_type": [8, "u32"],
  "link_create.kprobe_multi.flags": [16, "u32"],
  "link_create.kprobe_multi.cnt": [20, "u32"],
  "link_create.kprobe_multi.syms": [24, "pointer"],
  "link_create.kprobe_multi.addrs": [32, "pointer"],
  "link_create.kprobe_multi.cookies": [40, "pointer"],
});

export const linkUprobeMultiAttr = struct("bpf_attr", 64, {
  "link_create.prog_fd": [0, "u32"],
  "link_create.attach_type": [8, "u32"],
  "link_create.uprobe_multi.path": [16, "pointer"],
  "link_create.uprobe_multi.offsets": [24, "pointer"],
  "link_create.uprobe_multi.ref_ctr_offsets": [32, "pointer"],
  "link_create.uprobe_multi.cookies": [40, "pointer"],
  "link_create.uprobe_multi.cnt": [48, "u32"],
  "link_create.uprobe_multi.flags": [52, "u32"],
  "link_create.uprobe_multi.pid": [56, "u32"],
});

export const linkIterAttr = struct("bpf_attr", 32, {
  "link_create.prog_fd": [0, "u32"],
  "link_create.attach_type": [8, "u32"],
  "link_create.iter_info": [16, "pointer"],
  "link_create.iter_info_len": [24, "u32"],
});

/** union bpf_iter_link_info: which objects an iterator goes over; both since Linux 6.1. */
export const iterLinkInfo = struct("bpf_iter_link_info", 16, {
  "cgroup.order": [0, "u32"],
  "task.pid": [4, "u32"],
});

/** BPF_ENABLE_STATS: `bpf_attr.enable_stats`; 0 is BPF_STATS_RUN_TIME. */
export const enableStatsAttr = struct("bpf_attr", 4, { "enable_stats.type": [0, "u32"] });

export const iterCreateAttr = struct("bpf_attr", 8, {
  "iter_create.link_fd": [0, "u32"],
  "iter_create.flags": [4, "u32"],
});

// struct bpf_insn is 8 bytes; the pseudo values of src in a 16-byte load are in bpf-insn.ts.

/** Ring buffer records: a header of a length word with two flags, and a page offset that is the kernel's own. */
export const BPF_RINGBUF_BUSY_BIT = 0x80000000;
export const BPF_RINGBUF_DISCARD_BIT = 0x40000000;
export const BPF_RINGBUF_HDR_SZ = 8;

/** struct bpf_prog_info, what we read of it, or say of memory for the kernel to fill. */
export const progInfo = {
  size: 232,
  fields: {
    type: 0,
    id: 4,
    btf_id: 128,
    func_info_rec_size: 132,
    func_info: 136,
    nr_func_info: 144,
    run_time_ns: 192,
    run_cnt: 200,
    recursion_misses: 208,
    verified_insns: 216,
  },
} as const;

/** struct bpf_btf_info: memory for the types and for the name, and what the kernel says of them. */
export const btfInfo = {
  size: 32,
  fields: { btf: 0, btf_size: 8, id: 12, name: 16, name_len: 24, kernel_btf: 28 },
} as const;

/**
 * struct bpf_link_info, what we read of it; what is behind `prog_id` is one union. `missed` since Linux 6.7 (before, the
 * kernel fills fewer bytes, or leaves zeros), of links on perf events only where these are kprobes.
 */
export const linkInfo = {
  size: 64,
  fields: {
    type: 0,
    id: 4,
    "kprobe_multi.missed": 32,
    "perf_event.type": 16,
    "perf_event.kprobe.missed": 48,
  },
} as const;

/** enum bpf_link_type and enum bpf_perf_event_type, uapi/linux/bpf.h. */
export const BPF_LINK_TYPE_PERF_EVENT = 7;
export const BPF_LINK_TYPE_KPROBE_MULTI = 8;
export const BPF_PERF_EVENT_KPROBE = 3;
export const BPF_PERF_EVENT_KRETPROBE = 4;

/** struct bpf_pidns_info, uapi/linux/bpf.h: `{ u32 pid; u32 tgid }`. */
export const pidnsInfo = { pid: 0, tgid: 4, size: 8 } as const;

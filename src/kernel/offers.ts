// What --info tries beside the features that the compiler asks for: helpers, map types, program types.

import {
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_CGROUP_ARRAY,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE_STACK_TRACE,
} from "../abi/bpf.js";
import { BPF_ALU64, BPF_K, BPF_MOV } from "../abi/bpf-insn.js";
import { EINVAL } from "../abi/errno.js";
import type { ProgType } from "../abi/program-type.js";
import type { FeatureReply } from "../language/needs.js";
import { mapCreate } from "../sys/map-calls.js";
import type { Sys } from "../sys/sys.js";
import { answer, exitInstruction, hasHelper, loads } from "./probe-program.js";

/** Something that a kernel may lack, under the name that --info shows. */
export interface Offer {
  readonly name: string;
  /** First mainline version. */
  readonly since: string;
  /** What a user does without, where it is missing. */
  readonly costs: string;
  readonly ask: (sys: Sys) => FeatureReply;
}

const helper = (name: string, since: string, costs: string, call = name, type: ProgType = "kprobe"): Offer => ({
  name,
  since,
  costs,
  ask: (sys) => hasHelper(sys, type, call),
});

/** Helpers that some builtins stand for; what every supported kernel has is left out. Names as bpftrace shows them. */
export const helperOffers: readonly Offer[] = [
  helper("get_func_ip", "5.15", "func and probe of kprobes with many functions", "get_func_ip"),
  helper("get_tai_ns", "6.1", "nsecs(sw_tai)", "ktime_get_tai_ns"),
  helper("get_boot_ns", "5.8", "nsecs(boot)", "ktime_get_boot_ns"),
  helper("jiffies64", "5.6", "jiffies", "jiffies64"),
  helper("loop", "5.17", "loops over ranges without a bound that the verifier sees", "loop"),
  helper("for_each_map_elem", "5.13", "loops over maps", "for_each_map_elem"),
  helper("lookup_percpu_elem", "5.19", "reading count(), sum() and the like in the script", "map_lookup_percpu_elem"),
  helper("send_signal", "5.3", "signal()"),
  helper("send_signal_thread", "5.5", "signal_thread()"),
  helper("probe_write_user", "4.8", "write_user()"),
  helper("override_return", "4.16", "override()"),
  helper("get_ns_current_pid_tgid", "5.7", "pid, tid and -p in a pid namespace of the tracer's own"),
  helper("current_task_under_cgroup", "4.9", "--cgroup and --container"),
  helper("get_current_cgroup_id", "4.18", "cgroup"),
  helper("get_stackid", "4.6", "kstack and ustack"),
];

const mapOffer = (name: string, type: number, since: string, costs: string, valueSize = 8): Offer => ({
  name,
  since,
  costs,
  ask: (sys) =>
    answer(
      () => {
        const keySize = 4;
        mapCreate(sys, { name: "bt_offer", type, keySize, valueSize, maxEntries: 1, flags: 0 })[Symbol.dispose]();
      },
      { [EINVAL]: "no" },
    ),
});

/** Map types that scripts and the programs around them are made of. */
export const mapOffers: readonly Offer[] = [
  mapOffer("hash", BPF_MAP_TYPE_HASH, "3.19", "maps with keys"),
  mapOffer("array", BPF_MAP_TYPE_ARRAY, "3.19", "maps without keys, and with them everything"),
  mapOffer("percpu_hash", BPF_MAP_TYPE_PERCPU_HASH, "4.6", "count(), sum(), hist() ... with keys"),
  mapOffer("percpu_array", BPF_MAP_TYPE_PERCPU_ARRAY, "4.6", "count(), sum(), hist() ..., memory beyond the stack"),
  mapOffer("lru_hash", BPF_MAP_TYPE_LRU_HASH, "4.10", "let @m = lruhash(n)"),
  mapOffer("lru_percpu_hash", BPF_MAP_TYPE_LRU_PERCPU_HASH, "4.10", "let @m = percpulruhash(n)"),
  mapOffer("stack_trace", BPF_MAP_TYPE_STACK_TRACE, "4.6", "kstack and ustack"),
  mapOffer("cgroup_array", BPF_MAP_TYPE_CGROUP_ARRAY, "4.8", "--cgroup and --container", 4),
];

const empty = [[BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0], exitInstruction] as const;

const programOffer = (type: ProgType, since: string, costs: string): Offer => ({
  name: type,
  since,
  costs,
  ask: (sys) => loads(sys, { type, instructions: empty }),
});

/** Program types that can be loaded without something to attach them to. */
export const programOffers: readonly Offer[] = [
  programOffer("kprobe", "4.1", "kprobe, kretprobe, uprobe, uretprobe, usdt"),
  programOffer("tracepoint", "4.7", "tracepoint, where its record is needed"),
  programOffer("raw_tracepoint", "4.17", "rawtracepoint, begin and end"),
  programOffer("perf_event", "4.9", "interval, profile, software, hardware, watchpoint"),
];

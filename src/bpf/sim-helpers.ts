import { encodeBytes } from "../base/byte-text.js";
import type { Interpreter } from "./interpret.js";
import { SimRing, SimStacks } from "./sim-maps.js";
import { InterpreterError } from "./sim-memory.js";

/** A helper: arguments are unsigned 64-bit numbers, so may the result be signed. */
export type SimHelper = (machine: Interpreter, args: readonly bigint[]) => bigint;

const E2BIG = 7n;
const EFAULT = 14n;
const BPF_F_REUSE_STACKID = 1n << 10n;
const BPF_F_USER_STACK = 1n << 8n;
/** BPF_MAX_LOOPS, v6.18 kernel/bpf/bpf_iter.c. */
const mostLoops = 8n * 1024n * 1024n;

const arg = (args: readonly bigint[], i: number): bigint => args[i] ?? 0n;
const size = (args: readonly bigint[], i: number): number => Number(BigInt.asUintN(32, arg(args, i)));

function probeRead(user: boolean): SimHelper {
  return (m, args) => {
    const bytes = m.memory.probe(arg(args, 2), user);
    const want = size(args, 1);
    const fault = bytes === undefined || bytes.length < want;
    m.memory.write(arg(args, 0), fault ? new Uint8Array(want) : bytes.slice(0, want));
    return fault ? -EFAULT : 0n;
  };
}

/** Copies up to a NUL, which is always written; answers the length with it. */
function probeReadString(user: boolean): SimHelper {
  return (m, args) => {
    const bytes = m.memory.probe(arg(args, 2), user);
    const room = size(args, 1);
    if (room === 0) return 0n;
    if (bytes === undefined) {
      m.memory.write(arg(args, 0), new Uint8Array(room));
      return -EFAULT;
    }
    const nul = bytes.indexOf(0);
    const text = bytes.slice(0, Math.min(nul < 0 ? bytes.length : nul, room - 1));
    const out = new Uint8Array(text.length + 1);
    out.set(text);
    m.memory.write(arg(args, 0), out);
    return BigInt(out.length);
  };
}

function ringOf(m: Interpreter, pointer: bigint): SimRing {
  const map = m.mapAt(pointer);
  if (!(map instanceof SimRing)) throw new InterpreterError(`${map.spec.name} is no ring buffer`);
  return map;
}

function finishRecord(submit: boolean): SimHelper {
  return (m, args) => {
    const ring = [...m.maps.values()].find((map) => map instanceof SimRing && map.owns(arg(args, 0)));
    if (!(ring instanceof SimRing)) throw new InterpreterError("no ring buffer has the record that is finished");
    ring.finish(arg(args, 0), submit);
    return 0n;
  };
}

/** The helpers that programs of ours call, by kernel name. */
export const simHelpers: ReadonlyMap<string, SimHelper> = new Map<string, SimHelper>([
  [
    "map_lookup_elem",
    (m, args) => {
      const map = m.mapAt(arg(args, 0));
      return map.lookup(m.memory.read(arg(args, 1), map.spec.keySize), m.environment.cpu);
    },
  ],
  [
    "map_lookup_percpu_elem",
    (m, args) => {
      const map = m.mapAt(arg(args, 0));
      const cpu = size(args, 2);
      return cpu >= m.cpus ? 0n : map.lookup(m.memory.read(arg(args, 1), map.spec.keySize), cpu);
    },
  ],
  [
    "map_update_elem",
    (m, args) => {
      const map = m.mapAt(arg(args, 0));
      const key = m.memory.read(arg(args, 1), map.spec.keySize);
      return map.update(key, m.memory.read(arg(args, 2), map.spec.valueSize), arg(args, 3), m.environment.cpu);
    },
  ],
  [
    "map_delete_elem",
    (m, args) => {
      const map = m.mapAt(arg(args, 0));
      return map.delete(m.memory.read(arg(args, 1), map.spec.keySize));
    },
  ],
  ["ktime_get_ns", (m) => m.environment.ktime()],
  ["ktime_get_boot_ns", (m) => m.environment.ktime()],
  ["ktime_get_coarse_ns", (m) => m.environment.ktime()],
  ["ktime_get_tai_ns", (m) => m.environment.ktime()],
  ["jiffies64", (m) => m.environment.ktime() / 4_000_000n],
  ["get_prandom_u32", (m) => BigInt.asUintN(32, m.environment.random())],
  ["get_smp_processor_id", (m) => BigInt(m.environment.cpu)],
  ["get_numa_node_id", () => 0n],
  ["get_current_pid_tgid", (m) => m.environment.pidTgid],
  ["get_current_uid_gid", (m) => m.environment.uidGid],
  ["get_current_task", (m) => m.environment.task],
  ["get_current_task_btf", (m) => m.environment.task],
  ["get_current_cgroup_id", (m) => m.environment.cgroupId],
  ["get_attach_cookie", (m) => m.environment.cookie],
  ["get_func_ip", (m) => m.environment.funcIp],
  [
    "get_current_comm",
    (m, args) => {
      const room = size(args, 1);
      const out = new Uint8Array(room);
      out.set(encodeBytes(m.environment.comm).slice(0, Math.max(0, room - 1)));
      m.memory.write(arg(args, 0), out);
      return 0n;
    },
  ],
  ["probe_read", probeRead(false)],
  ["probe_read_kernel", probeRead(false)],
  ["probe_read_user", probeRead(true)],
  ["probe_read_kernel_str", probeReadString(false)],
  ["probe_read_user_str", probeReadString(true)],
  // BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE, BPF_RB_PROD_POS.
  [
    "ringbuf_query",
    (m, [map, what]) => {
      const ring = ringOf(m, map ?? 0n);
      return BigInt(what === 0n ? ring.waiting : what === 1n ? ring.spec.maxEntries : ring.position);
    },
  ],
  ["ringbuf_reserve", (m, args) => ringOf(m, arg(args, 0)).reserve(Number(arg(args, 1)))],
  ["ringbuf_submit", finishRecord(true)],
  ["ringbuf_discard", finishRecord(false)],
  ["ringbuf_output", (m, args) => ringOf(m, arg(args, 0)).output(m.memory.read(arg(args, 1), Number(arg(args, 2))))],
  [
    "get_stackid",
    (m, args) => {
      const map = m.mapAt(arg(args, 1));
      if (!(map instanceof SimStacks)) throw new InterpreterError(`${map.spec.name} holds no stacks`);
      const flags = arg(args, 2);
      const stack = m.environment.stack((flags & BPF_F_USER_STACK) !== 0n).slice(Number(flags & 0xffn));
      return stack.length === 0 ? -EFAULT : map.add(stack, (flags & BPF_F_REUSE_STACKID) !== 0n);
    },
  ],
  [
    "get_stack",
    (m, args) => {
      const flags = arg(args, 3);
      const room = Math.floor(size(args, 2) / 8);
      const user = (flags & BPF_F_USER_STACK) !== 0n;
      const stack = m.environment
        .stack(user)
        .slice(Number(flags & 0xffn))
        .slice(0, room);
      const out = new Uint8Array(size(args, 2));
      const view = new DataView(out.buffer);
      stack.forEach((address, i) => {
        view.setBigUint64(i * 8, BigInt.asUintN(64, address), true);
      });
      m.memory.write(arg(args, 1), out);
      return BigInt(stack.length * 8);
    },
  ],
  [
    "strncmp",
    (m, args) => {
      const left = m.memory.read(arg(args, 0), size(args, 1));
      const right = m.memory.probe(arg(args, 2), false) ?? new Uint8Array();
      for (let i = 0; i < left.length; i++) {
        const [a, b] = [left[i] ?? 0, right[i] ?? 0];
        if (a !== b) return a < b ? -1n : 1n;
        if (a === 0) break;
      }
      return 0n;
    },
  ],
  [
    "loop",
    (m, args) => {
      const count = BigInt.asUintN(32, arg(args, 0));
      if (count > mostLoops) return -E2BIG;
      for (let i = 0n; i < count; i++) if (m.callBack(arg(args, 1), [i, arg(args, 2)]) !== 0n) return i + 1n;
      return count;
    },
  ],
  [
    "for_each_map_elem",
    (m, args) => {
      const map = m.mapAt(arg(args, 0));
      let visited = 0n;
      for (const { key } of map.entries()) {
        const value = map.lookup(key, m.environment.cpu);
        if (value === 0n) continue;
        const region = m.memory.map("key", "program", key, false);
        const result = m.callBack(arg(args, 1), [arg(args, 0), region.start, value, arg(args, 2)]);
        m.memory.unmap(region);
        visited++;
        if (result !== 0n) break;
      }
      return visited;
    },
  ],
  ["trace_printk", () => 0n],
  ["send_signal", () => 0n],
  ["override_return", () => 0n],
]);

import {
  BPF_F_KPROBE_MULTI_RETURN,
  BPF_F_UPROBE_MULTI_RETURN,
  BPF_ITER_CREATE,
  BPF_LINK_CREATE,
  BPF_PERF_EVENT,
  BPF_RAW_TRACEPOINT_OPEN,
  iterCreateAttr,
  iterLinkInfo,
  linkIterAttr,
  linkKprobeMultiAttr,
  linkPerfEventAttr,
  linkTracingAttr,
  linkUprobeMultiAttr,
  rawTracepointAttr,
} from "../abi/bpf.js";
import {
  BPF_TRACE_ITER,
  BPF_TRACE_KPROBE_MULTI,
  BPF_TRACE_KPROBE_SESSION,
  BPF_TRACE_UPROBE_MULTI,
} from "../abi/program-type.js";
import { cString, cStrings, type Memory, u64Array } from "../abi/struct.js";
import { bpf } from "./bpf-call.js";
import { Fd } from "./fd.js";
import type { Sys } from "./sys.js";
import { check } from "./syscall-error.js";

function create(sys: Sys, attr: Memory, kind: string): Fd {
  return Fd.own(sys, check(bpf(sys, BPF_LINK_CREATE, attr), "bpf(BPF_LINK_CREATE)"), `${kind} link`);
}

/** Makes a program run at each sample or hit of a perf event (since 5.15). */
export function linkPerfEvent(sys: Sys, program: Fd, event: Fd, cookie: bigint): Fd {
  const attr = linkPerfEventAttr.encode(
    {
      "link_create.prog_fd": program.raw,
      "link_create.target_fd": event.raw,
      "link_create.attach_type": BPF_PERF_EVENT,
      "link_create.perf_event.bpf_cookie": cookie,
    },
    sys.addressOf,
  );
  return create(sys, attr, event.what);
}

/** Attaches a tracing program to what it was loaded for, with a cookie (fentry since 6.0, BTF raw tracepoints 6.10). */
export function linkTracing(sys: Sys, program: Fd, attachType: number, cookie: bigint): Fd {
  const attr = linkTracingAttr.encode(
    {
      "link_create.prog_fd": program.raw,
      "link_create.attach_type": attachType,
      "link_create.tracing.cookie": cookie,
    },
    sys.addressOf,
  );
  return create(sys, attr, program.what);
}

/**
 * A BPF iterator (since 5.8). `pid`: over the objects of one process, if it is one over tasks or what belongs to them;
 * `order`: how one over control groups walks the tree (since 6.1).
 */
export function linkIter(
  sys: Sys,
  program: Fd,
  { pid, order }: { readonly pid?: number | undefined; readonly order?: number | undefined },
): Fd {
  const which = order === undefined ? { "task.pid": pid } : { "cgroup.order": order };
  const info = pid === undefined && order === undefined ? undefined : iterLinkInfo.encode(which, sys.addressOf);
  const attr = linkIterAttr.encode(
    {
      "link_create.prog_fd": program.raw,
      "link_create.attach_type": BPF_TRACE_ITER,
      "link_create.iter_info": info,
      "link_create.iter_info_len": info?.bytes.length,
    },
    sys.addressOf,
  );
  return create(sys, attr, program.what);
}

/** A file; reading it runs the iterator's program. */
export function iterCreate(sys: Sys, link: Fd): Fd {
  const attr = iterCreateAttr.encode({ "iter_create.link_fd": link.raw }, sys.addressOf);
  return Fd.own(sys, check(bpf(sys, BPF_ITER_CREATE, attr), "bpf(BPF_ITER_CREATE)"), `iterator of ${link.what}`);
}

/**
 * Many functions in one link (since 5.18), by names or by the addresses that kallsyms has of them. The kernel wants each
 * once and all of them to be there.
 */
export function linkKprobeMulti(
  sys: Sys,
  program: Fd,
  target: {
    readonly functions: readonly string[] | readonly bigint[];
    /** Both: since 6.10. */
    readonly at: "entry" | "return" | "both";
  },
  cookies: readonly bigint[],
): Fd {
  const { functions } = target;
  const attr = linkKprobeMultiAttr.encode(
    {
      "link_create.prog_fd": program.raw,
      "link_create.attach_type": target.at === "both" ? BPF_TRACE_KPROBE_SESSION : BPF_TRACE_KPROBE_MULTI,
      "link_create.kprobe_multi.flags": target.at === "return" ? BPF_F_KPROBE_MULTI_RETURN : 0,
      "link_create.kprobe_multi.cnt": functions.length,
      ...(areNames(functions)
        ? { "link_create.kprobe_multi.syms": cStrings(functions, sys.addressOf) }
        : { "link_create.kprobe_multi.addrs": u64Array(functions) }),
      "link_create.kprobe_multi.cookies": u64Array(cookies),
    },
    sys.addressOf,
  );
  return create(sys, attr, `kprobe_multi of ${functions.length} functions`);
}

const areNames = (functions: readonly string[] | readonly bigint[]): functions is readonly string[] =>
  typeof functions[0] === "string";

export interface UprobeMultiTarget {
  readonly path: string;
  readonly offsets: readonly number[];
  readonly ret: boolean;
  /** All processes if absent. */
  readonly pid?: number | undefined;
  /** File offsets of USDT semaphores, 0 for none. */
  readonly refCounters?: readonly number[] | undefined;
}

/** Many places of one file in one link (since 6.6). */
export function linkUprobeMulti(sys: Sys, program: Fd, target: UprobeMultiTarget, cookies: readonly bigint[]): Fd {
  const { refCounters } = target;
  const attr = linkUprobeMultiAttr.encode(
    {
      "link_create.prog_fd": program.raw,
      "link_create.attach_type": BPF_TRACE_UPROBE_MULTI,
      "link_create.uprobe_multi.path": cString(target.path),
      "link_create.uprobe_multi.offsets": u64Array(target.offsets.map(BigInt)),
      "link_create.uprobe_multi.ref_ctr_offsets":
        refCounters === undefined ? undefined : u64Array(refCounters.map(BigInt)),
      "link_create.uprobe_multi.cookies": cookies.length === 0 ? undefined : u64Array(cookies),
      "link_create.uprobe_multi.cnt": target.offsets.length,
      "link_create.uprobe_multi.flags": target.ret ? BPF_F_UPROBE_MULTI_RETURN : 0,
      "link_create.uprobe_multi.pid": target.pid ?? 0,
    },
    sys.addressOf,
  );
  return create(sys, attr, `uprobe_multi of ${target.offsets.length} places in ${target.path}`);
}

/**
 * Attaches a raw_tracepoint program by the tracepoint's name, or (`name` undefined) a tracing program to what it was
 * loaded for. A cookie other than 0 needs 6.10.
 */
export function rawTracepointOpen(sys: Sys, program: Fd, name: string | undefined, cookie = 0n): Fd {
  const attr = rawTracepointAttr.encode(
    {
      "raw_tracepoint.name": name === undefined ? undefined : cString(name),
      "raw_tracepoint.prog_fd": program.raw,
      "raw_tracepoint.cookie": cookie,
    },
    sys.addressOf,
  );
  const what = `raw tracepoint ${name ?? program.what}`;
  return Fd.own(sys, check(bpf(sys, BPF_RAW_TRACEPOINT_OPEN, attr), "bpf(BPF_RAW_TRACEPOINT_OPEN)"), what);
}

/** A link of that kind whose names cannot be read; always fails, and how it does says whether the kernel knows it. */
export function tryKprobeMulti(
  sys: Sys,
  program: Fd,
  attachType: typeof BPF_TRACE_KPROBE_MULTI | typeof BPF_TRACE_KPROBE_SESSION,
): void {
  const attr = linkKprobeMultiAttr.encode(
    {
      "link_create.prog_fd": program.raw,
      "link_create.attach_type": attachType,
      "link_create.kprobe_multi.cnt": 1,
      "link_create.kprobe_multi.syms": unreadable,
    },
    sys.addressOf,
  );
  create(sys, attr, "kprobe_multi")[Symbol.dispose]();
}

/** In the first page, which is never mapped (vm.mmap_min_addr). */
const unreadable = 8n;

/** A raw tracepoint with a cookie and without a program; always fails, and how it does says whether cookies are known. */
export function tryRawTracepointCookie(sys: Sys): void {
  const attr = rawTracepointAttr.encode(
    { "raw_tracepoint.prog_fd": 0xffffffff, "raw_tracepoint.cookie": 1n },
    sys.addressOf,
  );
  check(bpf(sys, BPF_RAW_TRACEPOINT_OPEN, attr), "bpf(BPF_RAW_TRACEPOINT_OPEN)");
}

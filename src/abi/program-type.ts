/** Kernel name of a BPF program type, lower case: BPF_PROG_TYPE_KPROBE is `kprobe` (uapi/linux/bpf.h, enum bpf_prog_type). */
export type ProgType = "kprobe" | "tracepoint" | "perf_event" | "raw_tracepoint" | "tracing" | "syscall";

/** enum bpf_attach_type: what BPF_PROG_LOAD wants as expected_attach_type (uapi/linux/bpf.h, Linux 6.18). */
export const BPF_TRACE_RAW_TP = 23;
export const BPF_TRACE_FENTRY = 24;
export const BPF_TRACE_FEXIT = 25;
export const BPF_TRACE_ITER = 28;
export const BPF_TRACE_KPROBE_MULTI = 42;
export const BPF_TRACE_UPROBE_MULTI = 48;
export const BPF_TRACE_KPROBE_SESSION = 56;

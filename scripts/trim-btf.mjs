// Makes test/fixtures/vmlinux.btf and test/fixtures/tracefs/ from the running kernel (root, tracefs mounted):
//   node scripts/trim-btf.mjs
// Structures of `structs` keep all their members; one that they only point to becomes a forward declaration, and a
// function that they point to loses its parameters. So the fixture has real offsets and sizes in a small file.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileTests, output, root } from "./compile-tests.mjs";

const structs = [
  ..."task_struct mm_struct vm_area_struct file path dentry qstr inode super_block file_system_type vfsmount".split(
    " ",
  ),
  ..."mount nameidata filename linux_binprm kiocb iov_iter address_space folio page files_struct fdtable fs_struct".split(
    " ",
  ),
  ..."sock sock_common inet_sock inet_connection_sock tcp_sock socket sk_buff net_device net msghdr sockaddr".split(
    " ",
  ),
  ..."sockaddr_in sockaddr_in6 sockaddr_un in_addr in6_addr iphdr ipv6hdr tcphdr udphdr request request_queue bio".split(
    " ",
  ),
  ..."gendisk block_device pt_regs tty_struct cred nsproxy uts_namespace pid_namespace pid upid signal_struct".split(
    " ",
  ),
  ..."sighand_struct css_set cgroup cgroup_subsys_state kernfs_node rq cfs_rq sched_entity bpf_map bpf_prog".split(" "),
  ..."bpf_iter__task bpf_iter__task_file bpf_iter__task_vma bpf_iter_meta".split(" "),
  ..."timespec64 __kernel_timespec perf_event_attr bpf_perf_event_data trace_entry list_head kobject module".split(" "),
];
const functions = [
  ..."vfs_read vfs_write vfs_open vfs_fsync vfs_create vfs_unlink do_sys_openat2 do_nanosleep hrtimer_nanosleep".split(
    " ",
  ),
  ..."tcp_sendmsg tcp_recvmsg tcp_connect tcp_v4_connect tcp_close tcp_drop tcp_retransmit_skb udp_sendmsg".split(" "),
  ..."blk_account_io_start blk_mq_start_request wake_up_new_task do_exit ksys_read ksys_write __x64_sys_read".split(
    " ",
  ),
  ..."bpf_iter_task bpf_iter_task_file bpf_iter_task_vma".split(" "),
  ..."bpf_fentry_test1 security_file_open dput kfree_skb_reason".split(" "),
];
const tracepoints = [
  ..."syscalls/sys_enter_openat syscalls/sys_enter_open syscalls/sys_enter_execve syscalls/sys_enter_read".split(" "),
  ..."syscalls/sys_exit_read syscalls/sys_exit_write syscalls/sys_exit_openat syscalls/sys_enter_write".split(" "),
  ..."syscalls/sys_enter_nanosleep syscalls/sys_enter_connect syscalls/sys_enter_kill raw_syscalls/sys_enter".split(
    " ",
  ),
  ..."raw_syscalls/sys_exit sched/sched_switch sched/sched_wakeup sched/sched_process_exec".split(" "),
  ..."sched/sched_process_exit sched/sched_process_fork block/block_rq_issue block/block_rq_complete".split(" "),
  ..."block/block_rq_insert kmem/kmalloc irq/softirq_entry irq/irq_handler_entry signal/signal_generate".split(" "),
  ..."net/net_dev_queue skb/kfree_skb tcp/tcp_retransmit_skb sock/inet_sock_set_state task/task_rename".split(" "),
];
/** BTF raw tracepoints (`btf_trace_` typedefs) and the records of tracefs events (`trace_event_raw_`). */
const rawTracepoints = [
  ..."sys_enter sys_exit sched_switch sched_wakeup sched_waking sched_process_exec sched_process_exit".split(" "),
  ..."sched_process_fork sched_process_wait sched_migrate_task block_rq_issue block_rq_complete block_rq_insert".split(
    " ",
  ),
  ..."kmalloc kfree softirq_entry irq_handler_entry signal_generate net_dev_queue kfree_skb tcp_retransmit_skb".split(
    " ",
  ),
  ..."inet_sock_set_state task_rename".split(" "),
];

await compileTests(() => false);
const { Btf } = await import(join(output, "src/formats/btf.js"));
const { writeBtf } = await import(join(output, "test/fixtures/write-btf.js"));

const btf = Btf.parse(readFileSync("/sys/kernel/btf/vmlinux"));
const whole = new Set();
const types = [];
const ids = new Map();

for (const name of [
  ...structs,
  ...[...btf.names("struct")].filter((name) => /^trace_event_raw_(sys_|sched_)/.test(name)),
  ...rawTracepoints.map((name) => `trace_event_raw_${name}`),
]) {
  const id = btf.find(name, "struct");
  if (id !== undefined) whole.add(id);
}
for (const id of whole) keep(id);
for (const name of functions) {
  const id = btf.find(name, "func");
  if (id !== undefined) keep(id);
}
for (const name of [
  ...rawTracepoints,
  ...[...btf.names("typedef")].filter((name) => /^btf_trace_sched_/.test(name)).map((name) => name.slice(10)),
]) {
  const id = btf.find(`btf_trace_${name}`, "typedef");
  if (id !== undefined) keep(id);
  // Parameter names: since 6.13 or so bpf_trace_run's callers; the prototype `__bpf_trace_NAME` has them.
  const named = btf.find(`__bpf_trace_${name}`, "func");
  if (named !== undefined) keep(named);
}

/** The new id of a type, which is copied with all that it needs. `pointed`: only a pointer leads here. */
function keep(id, pointed = false, root = true) {
  if (id === 0) return 0;
  const type = btf.type(id);
  const cut = pointed && (type.kind === "struct" || type.kind === "union") && type.name !== "" && !whole.has(id);
  const key = cut ? `cut ${id}` : pointed && type.kind === "func-proto" && !root ? "proto" : id;
  const known = ids.get(key) ?? (cut ? ids.get(id) : undefined);
  if (known !== undefined) return known;
  const at = types.push(undefined);
  ids.set(key, at);
  types[at - 1] = cut
    ? { kind: "forward", name: type.name, union: type.kind === "union" }
    : key === "proto"
      ? { kind: "func-proto", returns: 0, params: [] }
      : copy(type, root, pointed);
  return at;
}

function copy(type, root, pointed) {
  switch (type.kind) {
    case "pointer":
      return { ...type, to: keep(type.to, true, root) };
    case "array":
      return { ...type, of: keep(type.of, pointed, false), index: keep(type.index) };
    case "struct":
    case "union":
      return { ...type, members: type.members.map((m) => ({ ...m, type: keep(m.type, false, false) })) };
    case "typedef":
    case "const":
    case "volatile":
    case "restrict":
    case "type-tag":
      return { ...type, to: keep(type.to, pointed, root) };
    case "func":
      return { ...type, proto: keep(type.proto) };
    case "func-proto":
      return {
        ...type,
        returns: keep(type.returns, false, false),
        params: type.params.map((p) => ({ ...p, type: keep(p.type, false, false) })),
      };
    default:
      return type;
  }
}

const fixtures = join(root, "test/fixtures");
const bytes = writeBtf(types);
writeFileSync(join(fixtures, "vmlinux.btf"), bytes);
console.log(`vmlinux.btf: ${types.length} types, ${bytes.length} bytes`);

const tracefs = join(fixtures, "tracefs");
rmSync(tracefs, { recursive: true, force: true });
for (const event of tracepoints) {
  const format = `/sys/kernel/tracing/events/${event}/format`;
  if (!existsSync(format)) {
    console.log(`no ${event} here`);
    continue;
  }
  mkdirSync(join(tracefs, event), { recursive: true });
  writeFileSync(join(tracefs, event, "format"), readFileSync(format));
}

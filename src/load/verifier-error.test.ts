import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProgramSpec } from "../bpf/object.js";
import { parseVerifierLog, VerifierError } from "./verifier-error.js";

// Logs of Linux 6.18 and 6.12 for programs that do what their titles say.
const logs: readonly { title: string; log: string; instruction: number | undefined; reason: string }[] = [
  {
    title: "read through a number",
    log: `0: R1=ctx() R10=fp0
0: (b7) r1 = 0                        ; R1=0
1: (79) r2 = *(u64 *)(r1 +0)
R1 invalid mem access 'scalar'
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    instruction: 1,
    reason: "R1 invalid mem access 'scalar'",
  },
  {
    title: "ring record not given back",
    log: `0: R1=ctx() R10=fp0
0: (18) r1 = 0xffff88811d290800       ; R1=map_ptr(map=ring,ks=0,vs=0)
2: (b7) r2 = 16                       ; R2=16
3: (b7) r3 = 0                        ; R3=0
4: (85) call bpf_ringbuf_reserve#131          ; R0=ringbuf_mem_or_null(id=2,ref_obj_id=2,sz=16) refs=2
5: (b7) r0 = 0                        ; R0=0 refs=2
6: (95) exit
Unreleased reference id=2 alloc_insn=4
BPF_EXIT instruction in main prog would lead to reference leak
processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    instruction: 6,
    reason: "Unreleased reference id=2 alloc_insn=4; BPF_EXIT instruction in main prog would lead to reference leak",
  },
  {
    title: "dead code, found before anything is simulated",
    log: `unreachable insn 2
processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    instruction: 2,
    reason: "unreachable insn 2",
  },
  {
    title: "jump too far",
    log: `jump out of range from insn 0 to 101
processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    instruction: 0,
    reason: "jump out of range from insn 0 to 101",
  },
  {
    title: "endless loop",
    log: `0: R1=ctx() R10=fp0
0: (b7) r0 = 0                        ; R0_w=0
1: (85) call bpf_ktime_get_ns#5       ; R0_w=scalar()
2: (55) if r0 != 0x1 goto pc-3 0: R0_rw=scalar() R10=fp0
0: (b7) r0 = 0                        ; R0_w=0
1: (85) call bpf_ktime_get_ns#5
infinite loop detected at insn 2
cur state: R0_w=scalar() R10=fp0
old state: R0_rw=scalar() R10=fp0
processed 13 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 0
`,
    instruction: 2,
    reason: "infinite loop detected at insn 2",
  },
  {
    title: "index out of bounds",
    log: `0: R1=ctx() R10=fp0
0: (79) r3 = *(u64 *)(r1 +0)          ; R1=ctx() R3=scalar()
1: (57) r3 &= 127                     ; R3=scalar(smin=smin32=0,smax=umax=smax32=umax32=127,var_off=(0x0; 0x7f))
2: (18) r1 = 0xffff88811d291f38       ; R1=map_value(map=counters,ks=4,vs=64)
4: (0f) r1 += r3                      ; R1=map_value(map=counters,ks=4,vs=64,smin=smin32=0,smax=umax=smax32=umax32=127)
5: (79) r2 = *(u64 *)(r1 +0)
invalid access to map value, value_size=64 off=127 size=8
R1 max value is outside of the allowed memory range
processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    instruction: 5,
    reason:
      "invalid access to map value, value_size=64 off=127 size=8; R1 max value is outside of the allowed memory range",
  },
  {
    title: "no such operation: names no instruction",
    log: `unknown opcode ff
processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    instruction: undefined,
    reason: "unknown opcode ff",
  },
  { title: "an empty log", log: "", instruction: undefined, reason: "it gave no reason" },
];

for (const { title, log, instruction, reason } of logs) {
  test(`verifier log: ${title}`, () => assert.deepEqual(parseVerifierLog(log), { reason, instruction }));
}

/** A program of two instructions, made from these places. */
const programAt = (spans: ProgramSpec["spans"]): ProgramSpec => ({
  name: "BEGIN",
  type: "raw_tracepoint",
  expectedAttachType: 0,
  code: new Uint8Array(16),
  relocations: [],
  functions: [],
  spans,
});

test("the error points at the script, also for instructions without a place of their own", () => {
  const source = { name: "stdin", text: "BEGIN { x }" };
  const span = { source, start: 8, end: 9 };
  const program = programAt([span, undefined]);
  const error = new VerifierError(program, 13, logs[0]?.log ?? "", undefined);
  assert.equal(error.span, span);
  assert.equal(error.errno, 13);
  assert.match(error.message, /refused BEGIN at instruction 1: R1 invalid mem access/);
  assert.equal(new VerifierError(program, 22, "", undefined).span, undefined);
});

test("what to do about it", () => {
  const program = programAt([]);
  const hint = (errno: number, log: string): string => new VerifierError(program, errno, log, undefined).hint ?? "";
  assert.match(hint(22, "back-edge from insn 7 to 3\n"), /^a loop needs a bound/);
  for (const words of [
    "unknown func bpf_probe_write_user#36",
    "program of this type cannot use helper bpf_probe_write_user#36",
  ])
    assert.match(
      hint(22, `5: (85) call bpf_probe_write_user#36\n${words}\n`),
      /has no bpf_probe_write_user\(\).*lockdown.*--info/,
    );
  assert.match(hint(7, "BPF program is too large. Processed 1000001 insn\n"), /^a loop needs a bound/);
  assert.match(
    hint(13, "0: (61) r1 = *(u32 *)(r1 +4)\ninvalid bpf_context access off=4 size=4\n"),
    /report it as a bug/,
  );
  const interrupted = new VerifierError(program, 11, "", undefined);
  assert.match(interrupted.message, /signals interrupted it again and again$/);
  assert.match(interrupted.hint ?? "", /profiler/);
});

test("fuzz: any text gives a verdict", () => {
  let seed = 1;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % n;
  };
  const whole = logs.map(({ log }) => log).join("");
  for (let i = 0; i < 500; i++) {
    const chars = [...whole.slice(random(whole.length))];
    for (let j = 0; j < 20; j++) chars[random(chars.length)] = String.fromCharCode(random(256));
    const verdict = parseVerifierLog(chars.join(""));
    assert.ok(verdict.reason.length > 0);
    assert.ok(verdict.instruction === undefined || verdict.instruction >= 0);
  }
});

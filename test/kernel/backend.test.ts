import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { BPF_MAP_TYPE_ARRAY, BPF_PROG_TEST_RUN, testRunAttr } from "../../src/abi/bpf.js";
import { helperName } from "../../src/abi/helpers.js";
import { memory, zeroed } from "../../src/abi/struct.js";
import { disassemble } from "../../src/bpf/disassemble.js";
import { type EmitOptions, emitFunctions } from "../../src/bpf/emit.js";
import { Btf } from "../../src/formats/btf.js";
import { FunctionBuilder } from "../../src/ir/builder.js";
import type { IrFunction } from "../../src/ir/ir.js";
import { optimize } from "../../src/ir/passes/optimize.js";
import { evaluateIr } from "../../src/ir/testing/evaluate.js";
import { Random, randomContextSize, randomMapSize, randomProgram } from "../../src/ir/testing/random-ir.js";
import { bpf } from "../../src/sys/bpf-call.js";
import type { Fd } from "../../src/sys/fd.js";
import { mapCreate, mapLookup, mapUpdate } from "../../src/sys/map-calls.js";
import { ProgLoadError, progLoad } from "../../src/sys/prog-calls.js";
import type { Sys } from "../../src/sys/sys.js";
import { check } from "../../src/sys/syscall-error.js";
import { kernelTest } from "../support/kernel-test.js";

/** BPF_PROG_TYPE_RAW_TRACEPOINT: the one that BPF_PROG_TEST_RUN runs with a context of our own. */
const rawTracepoint = 17;

/** What does not change while the test runs; the thread may move to another CPU. */
const helpers = ["get_current_pid_tgid", "get_current_uid_gid"];

function load(sys: Sys, map: Fd, fn: IrFunction, options: EmitOptions): Fd {
  const emitted = emitFunctions([fn], options);
  const code = zeroed(emitted.code.length);
  code.set(emitted.code);
  const view = new DataView(code.buffer, code.byteOffset);
  for (const { insn } of emitted.relocations) view.setInt32(insn * 8 + 4, map.raw, true);
  try {
    return progLoad(sys, { name: "random", type: rawTracepoint, code, expectedAttachType: 0, attachBtfId: 0 });
  } catch (error) {
    if (!(error instanceof ProgLoadError)) throw error;
    const log = error.log.split("\n").slice(-40).join("\n");
    throw new Error(`${error.message}\n${log}\n${disassemble(emitted.code, emitted).join("\n")}`);
  }
}

/** Runs the program in this thread; answers the low half of r0. */
function run(sys: Sys, program: Fd, context: Uint8Array): bigint {
  const attr = testRunAttr.encode(
    {
      "test.prog_fd": program.raw,
      "test.ctx_size_in": context.length,
      "test.ctx_in": memory(context),
    },
    sys.addressOf,
  );
  check(bpf(sys, BPF_PROG_TEST_RUN, attr), "bpf(BPF_PROG_TEST_RUN)");
  const at = testRunAttr.fields["test.retval"][0];
  return BigInt(new DataView(attr.bytes.buffer, attr.bytes.byteOffset).getUint32(at, true));
}

function readMap(sys: Sys, map: Fd): Uint8Array {
  const value = zeroed(randomMapSize);
  assert.ok(mapLookup(sys, map, zeroed(4), value));
  return value;
}

function randomContext(seed: number): Uint8Array {
  const random = new Random(seed);
  const context = zeroed(randomContextSize);
  for (let i = 0; i < context.length; i++) context[i] = random.below(3) === 0 ? random.below(256) : 0;
  return context;
}

const variants: readonly (EmitOptions & { readonly optimized: boolean })[] = [
  { optimized: false, cpuV4: false, cookie: "helper" },
  { optimized: true, cpuV4: false, cookie: "helper" },
  { optimized: true, cpuV4: false, cookie: "helper", registers: 6 },
];

kernelTest("the verifier accepts random programs, and they compute what their IR says", (sys) => {
  using map = mapCreate(sys, {
    name: "array",
    type: BPF_MAP_TYPE_ARRAY,
    keySize: 4,
    valueSize: randomMapSize,
    maxEntries: 1,
    flags: 0,
  });
  // What the kernel answers about this process: its ids are those of the first namespace.
  const answers = new Map<string, bigint>();
  for (const helper of helpers) {
    const b = new FunctionBuilder("ask", "program");
    b.store(8, b.mapValue("array", 0), 0, b.call(helper, []));
    b.ret(b.const(0));
    using program = load(sys, map, b.finish(), { cpuV4: false, cookie: "helper" });
    run(sys, program, zeroed(8));
    const answer = readMap(sys, map);
    answers.set(helper, new DataView(answer.buffer, answer.byteOffset).getBigUint64(0, true));
  }
  const comm = readFileSync("/proc/self/comm").subarray(0, -1);
  for (let seed = 1; seed <= 25; seed++) {
    const fn = randomProgram(seed, 40, helpers);
    const context = randomContext(seed);
    const expectedMap = new Uint8Array(randomMapSize);
    const expected = evaluateIr(fn, {
      context,
      maps: new Map([["array", expectedMap]]),
      call(helper, args, at) {
        const answer = answers.get(helper);
        if (answer !== undefined) return answer;
        const room = at(args[0] ?? 0n).subarray(0, Number(args[1]));
        room.fill(0);
        room.set(comm.subarray(0, 15));
        return 0n;
      },
    });
    const optimized = optimize(fn);
    for (const { optimized: best, ...options } of variants) {
      using program = load(sys, map, best ? optimized : fn, options);
      mapUpdate(sys, map, zeroed(4), zeroed(randomMapSize));
      const what = `seed ${seed} ${JSON.stringify(options)}`;
      assert.equal(run(sys, program, context), BigInt.asUintN(32, expected), what);
      assert.deepEqual(Buffer.from(readMap(sys, map)), Buffer.from(expectedMap), what);
    }
  }
});

kernelTest("the helpers' ids are the kernel's", () => {
  const btf = Btf.parse(readFileSync("/sys/kernel/btf/vmlinux"));
  const id = btf.find("bpf_func_id", "enum");
  const type = id === undefined ? undefined : btf.type(id);
  assert.equal(type?.kind, "enum");
  const known = type.values.filter(({ name }) => !name.startsWith("__"));
  for (const { name, value } of known) assert.equal(helperName(Number(value)), name.replace("BPF_FUNC_", ""));
});

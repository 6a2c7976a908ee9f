import assert from "node:assert/strict";
import { test } from "node:test";
import { BPF_MAP_TYPE_ARRAY } from "../abi/bpf.js";
import type { IrFunction } from "../ir/ir.js";
import { optimize } from "../ir/passes/optimize.js";
import { printIr } from "../ir/printer.js";
import { evaluateIr } from "../ir/testing/evaluate.js";
import { Random, randomContextSize, randomMapSize, randomProgram } from "../ir/testing/random-ir.js";
import { verifyIr } from "../ir/verify.js";
import { disassemble } from "./disassemble.js";
import { type EmitOptions, emitFunctions } from "./emit.js";
import { StackOverflowError } from "./frame.js";
import { Interpreter } from "./interpret.js";
import type { MapSpec } from "./object.js";

const array: MapSpec = {
  name: "array",
  type: BPF_MAP_TYPE_ARRAY,
  keySize: 4,
  valueSize: randomMapSize,
  maxEntries: 1,
  flags: 0,
};

function context(seed: number): Uint8Array {
  const random = new Random(seed ^ 0x5555);
  return Uint8Array.from({ length: randomContextSize }, () => (random.below(3) === 0 ? random.below(256) : 0));
}

const environment = { pidTgid: 0x1234_0000_5678n, uidGid: 0xffff_ffff_0000_03e8n, cpu: 3, comm: "a name" };

function evaluate(fn: IrFunction, seed: number): { result: bigint; map: string } {
  const map = new Uint8Array(randomMapSize);
  const result = evaluateIr(fn, {
    context: context(seed),
    maps: new Map([["array", map]]),
    call(helper, args, memory) {
      if (helper === "get_current_pid_tgid") return environment.pidTgid;
      if (helper === "get_current_uid_gid") return environment.uidGid;
      if (helper === "get_smp_processor_id") return BigInt(environment.cpu);
      assert.equal(helper, "get_current_comm");
      const room = memory(args[0] ?? 0n).subarray(0, Number(args[1]));
      room.fill(0);
      room.set(new TextEncoder().encode(environment.comm));
      return 0n;
    },
  });
  return { result: BigInt.asUintN(64, result), map: Buffer.from(map).toString("hex") };
}

function interpret(fn: IrFunction, seed: number, options: EmitOptions): { result: bigint; map: string } {
  const emitted = emitFunctions([fn], options);
  const machine = new Interpreter({ maps: [array], cpus: 4, environment });
  try {
    const result = machine.run(emitted, context(seed));
    return { result, map: Buffer.from(machine.map("array").entries()[0]?.values[0] ?? []).toString("hex") };
  } catch (error) {
    throw new Error(`${error}\n${disassemble(emitted.code, emitted).join("\n")}`);
  }
}

const variants: readonly (EmitOptions & { readonly optimized: boolean })[] = [
  { optimized: false, cpuV4: true, cookie: "helper" },
  { optimized: true, cpuV4: true, cookie: "helper" },
  { optimized: true, cpuV4: false, cookie: "helper" },
  { optimized: false, cpuV4: false, cookie: "helper", registers: 6 },
  { optimized: true, cpuV4: true, cookie: "helper", registers: 4 },
];

test("compiled random programs do what their IR says", () => {
  let overflows = 0;
  const { RANDOM_PROGRAMS, RANDOM_SEED } = process.env;
  const count = Number(RANDOM_PROGRAMS ?? 100);
  const first = Number(RANDOM_SEED ?? 1);
  for (let seed = first; seed < first + count; seed++) {
    const fn = randomProgram(seed, 10 + (seed % 60));
    verifyIr(fn, "random");
    const expected = evaluate(fn, seed);
    let last = fn;
    optimize(fn, {
      verify: true,
      dump(pass, after) {
        try {
          assert.deepEqual(evaluate(after, seed), expected);
        } catch (error) {
          throw new Error(`seed ${seed}, ${pass}: ${error}\n${printIr(last)}\n${printIr(after)}`);
        }
        last = after;
      },
    });
    for (const { optimized, ...options } of variants) {
      try {
        assert.deepEqual(interpret(optimized ? last : fn, seed, options), expected);
      } catch (error) {
        if (error instanceof StackOverflowError) overflows++;
        else throw new Error(`seed ${seed} ${JSON.stringify(options)}: ${error}\n${printIr(fn)}`);
      }
    }
  }
  assert.ok(overflows < count / 4, `${overflows} programs needed too much stack`);
});

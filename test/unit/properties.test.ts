// Random well-typed scripts mean the same with and without optimisation, and to an evaluator that knows no compiler.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FixtureKernel } from "../support/fixture-kernel.js";
import { ScriptMaker, type World } from "../support/random-script.js";
import { ActionMaker } from "../support/random-statements.js";
import { Simulation } from "../support/simulation.js";

const rounds = Number(process.env["PROPERTY_ROUNDS"] ?? 40);
const first = Number(process.env["PROPERTY_SEED"] ?? 1);

const kernels = [new FixtureKernel(), new FixtureKernel({ features: { cpuV4: "no" } })];
const variants = kernels.flatMap((kernel) => [true, false].map((optimize) => ({ kernel, optimize })));

const newWorld = (args: readonly bigint[]): World => ({ args, variables: new Map(), maps: new Map() });

const registers = (args: readonly bigint[]) => ({ arg0: args[0] ?? 0n, arg1: args[1] ?? 0n, arg2: args[2] ?? 0n });

function repeatable(seed: number, script: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}\n${script}`);
  }
}

test("expressions", () => {
  for (let seed = first; seed < first + 4 * rounds; seed++) {
    const make = new ScriptMaker(seed);
    const expressions = Array.from({ length: 8 }, () => make.expression(1 + make.below(5)));
    const script = `kprobe:vfs_read { ${expressions.map(({ text }, i) => `@r${i} = (int64)${text};`).join(" ")} }`;
    const inputs = Array.from({ length: 4 }, () => [make.word(), make.word(), make.word()]);
    repeatable(seed, script, () => {
      for (const { kernel, optimize } of variants) {
        const simulation = new Simulation(script, { kernel, optimize });
        for (const args of inputs) {
          simulation.fire({ registers: registers(args) });
          for (const [i, { text, run }] of expressions.entries()) {
            const expected = BigInt.asIntN(64, run(newWorld(args)).bits);
            const note = `${text} of ${args.join(", ")}${optimize ? "" : ", not optimized"}`;
            assert.equal(simulation.number(`@r${i}`), expected, note);
          }
        }
      }
    });
  }
});

test("statements", () => {
  for (let seed = first; seed < first + rounds; seed++) {
    const make = new ScriptMaker(seed + 1_000_000);
    const action = new ActionMaker(make).action();
    const script = `kprobe:vfs_read { ${action.text} }`;
    const inputs = Array.from({ length: 3 }, () => [make.word(), make.word(), make.word()]);
    repeatable(seed, script, () => {
      for (const { kernel, optimize } of variants) {
        for (const args of inputs) {
          const simulation = new Simulation(script, { kernel, optimize });
          simulation.fire({ registers: registers(args) });
          const world = newWorld(args);
          action.run(world);
          for (const name of simulation.compiled.script.maps.keys()) {
            const expected = [...(world.maps.get(name) ?? [])].map(([key, value]) => `${key}=${value}`).sort();
            assert.deepEqual(contents(simulation, name), expected, `${name} of ${args.join(", ")}, ${optimize}`);
          }
          assert.deepEqual(simulation.losses(), {});
        }
      }
    });
  }
});

function contents(simulation: Simulation, name: string): string[] {
  return simulation
    .snapshot(name)
    .entries.map(({ key, value }) => {
      const [part] = key;
      assert.ok(value.kind === "int" && (part === undefined || part.kind === "int"));
      return `${BigInt.asUintN(64, part?.value ?? 0n)}=${BigInt.asUintN(64, value.value)}`;
    })
    .sort();
}

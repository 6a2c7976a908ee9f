// Random well-typed scripts on the running kernel, by BPF_PROG_TEST_RUN: what they compute with and without optimisation
// is what an evaluator says that knows no compiler, as it is in the interpreter (test/unit/properties.test.ts).
import assert from "node:assert/strict";
import { openKernelView } from "../../src/kernel/kernel-view.js";
import type { Sys } from "../../src/sys/sys.js";
import { Trace } from "../../src/trace/trace.js";
import type { MapSnapshot } from "../../src/wire/value.js";
import { compileScript } from "../support/compile-script.js";
import { kernelTest } from "../support/kernel-test.js";
import { ScriptMaker, type World } from "../support/random-script.js";
import { ActionMaker } from "../support/random-statements.js";

const rounds = Number(process.env["PROPERTY_ROUNDS"] ?? 15);
const first = Number(process.env["PROPERTY_SEED"] ?? 1);

const newWorld = (args: readonly bigint[]): World => ({ args, variables: new Map(), maps: new Map() });

/** Arguments come from maps: begin has none, and constants would be computed by the compiler. */
function scriptFor(action: string, args: readonly bigint[]): string {
  const inputs = args.map((value, i) => `@in${i} = (uint64)${value};`).join(" ");
  return `begin { ${inputs} } begin { ${action.replaceAll(/\barg([012])\b/g, "@in$1")} }`;
}

/** Runs a script to its end; answers its maps, by name. */
async function run(sys: Sys, text: string, optimize: boolean): Promise<Map<string, MapSnapshot>> {
  const kernel = openKernelView(sys);
  const maps = new Map<string, MapSnapshot>();
  const compiled = compileScript(text, { kernel, optimize });
  using trace = new Trace({
    sys,
    kernel,
    compiled,
    onEvent: (event) => {
      assert.notEqual(event.kind, "lost");
      if (event.kind === "map") maps.set(event.map.name, event.map);
    },
  });
  assert.equal(await trace.run(), 0);
  return maps;
}

function contents(map: MapSnapshot | undefined): string[] {
  return (map?.entries ?? [])
    .map(({ key, value }) => {
      const [part] = key;
      assert.ok(value.kind === "int" && (part === undefined || part.kind === "int"));
      return `${BigInt.asUintN(64, part?.value ?? 0n)}=${BigInt.asUintN(64, value.value)}`;
    })
    .sort();
}

async function repeatable(seed: number, script: string, check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}\n${script}`);
  }
}

kernelTest("expressions compute in the kernel what they mean", async (sys) => {
  for (let seed = first; seed < first + rounds; seed++) {
    const make = new ScriptMaker(seed + 2_000_000);
    const expressions = Array.from({ length: 16 }, () => make.expression(1 + make.below(5)));
    const args = [make.word(), make.word(), make.word()];
    const action = expressions.map(({ text }, i) => `@r${i} = (int64)${text};`).join(" ");
    const script = scriptFor(action, args);
    await repeatable(seed, script, async () => {
      for (const optimize of [true, false]) {
        const maps = await run(sys, script, optimize);
        for (const [i, { text, run: evaluate }] of expressions.entries()) {
          const expected = BigInt.asUintN(64, evaluate(newWorld(args)).bits);
          assert.deepEqual(contents(maps.get(`@r${i}`)), [`0=${expected}`], `${text}, optimized: ${optimize}`);
        }
      }
    });
  }
});

kernelTest("actions with branches and loops do in the kernel what they mean", async (sys) => {
  for (let seed = first; seed < first + rounds; seed++) {
    const make = new ScriptMaker(seed + 3_000_000);
    const action = new ActionMaker(make).action();
    const args = [make.word(), make.word(), make.word()];
    const script = scriptFor(action.text, args);
    const world = newWorld(args);
    action.run(world);
    await repeatable(seed, script, async () => {
      for (const optimize of [true, false]) {
        const maps = await run(sys, script, optimize);
        for (const [name, entries] of world.maps) {
          const expected = [...entries].map(([key, value]) => `${key}=${value}`).sort();
          assert.deepEqual(contents(maps.get(name)), expected, `${name}, optimized: ${optimize}`);
        }
      }
    });
  }
});

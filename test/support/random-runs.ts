// Random programs where they run: in C, in the interpreter of bytecode, in the kernel.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openKernelView } from "../../src/kernel/kernel-view.js";
import type { KernelView } from "../../src/language/kernel-view.js";
import type { Sys } from "../../src/sys/sys.js";
import { Trace } from "../../src/trace/trace.js";
import type { MapSnapshot, Value } from "../../src/wire/value.js";
import { compileScript } from "./compile-script.js";
import type { Contents, Program } from "./program-ast.js";
import { parseResults, programsInC } from "./program-in-c.js";
import { programText } from "./program-text.js";
import { Simulation } from "./simulation.js";

/** A value as {@link Contents} has it: integers as they would be unsigned, so that their type makes no difference. */
function plain(value: Value): string {
  if (value.kind === "string") return JSON.stringify(value.value);
  assert.equal(value.kind, "int");
  return value.kind === "int" ? `${BigInt.asUintN(64, value.value)}` : "";
}

const contentsOf = ({ entries }: MapSnapshot): Contents[string] =>
  Object.fromEntries(entries.map(({ key, value }) => [key.map(plain).join(), plain(value)]));

/** Maps without entries are as if they were not there. */
const filled = (maps: readonly (readonly [string, Contents[string]])[]): Contents =>
  Object.fromEntries(maps.filter(([, entries]) => Object.keys(entries).length > 0));

/** For each program, its maps after a run with each of its inputs. Undefined, if there is no compiler. */
export function runInC(programs: readonly Program[]): readonly (readonly Contents[])[] | undefined {
  const folder = mkdtempSync(join(tmpdir(), "programs-"));
  try {
    const [source, binary] = [join(folder, "programs.c"), join(folder, "programs")];
    writeFileSync(source, programsInC(programs));
    const compiled = spawnSync("gcc", ["-std=gnu11", "-O1", "-w", "-fwrapv", "-o", binary, source], {
      encoding: "utf8",
    });
    if (compiled.error !== undefined) return undefined;
    assert.equal(compiled.status, 0, compiled.stderr);
    const { status, signal, stdout } = spawnSync(binary, { encoding: "latin1", maxBuffer: 1 << 29, timeout: 60_000 });
    assert.equal(status, 0, `the programs in C ended by ${signal ?? status}`);
    const runs = parseResults(stdout);
    let at = 0;
    return programs.map(({ inputs }) => inputs.map(() => runs[at++] ?? {}));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export interface Variant {
  readonly kernel: KernelView;
  readonly optimize: boolean;
}

/** The maps after a run with each of the inputs, by the interpreter. */
export function runInInterpreter(program: Program, { kernel, optimize }: Variant): readonly Contents[] {
  const script = `kprobe:vfs_read { ${programText(program)} }`;
  const compiled = compileScript(script, { kernel, optimize });
  return program.inputs.map(([arg0 = 0n, arg1 = 0n, arg2 = 0n]) => {
    const simulation = new Simulation(script, { kernel, optimize, compiled });
    simulation.fire({ registers: { arg0, arg1, arg2 } });
    assert.deepEqual(simulation.losses(), {});
    const names = [...simulation.compiled.script.maps.keys()];
    return filled(names.map((name) => [name, contentsOf(simulation.snapshot(name))] as const));
  });
}

/** The prefix of a program's maps in a script of several, and back. */
const ownMap = (index: number) => (name: string) => `@p${index}${name.slice(1)}`;
const ownerOf = (name: string): readonly [number, string] => {
  const [, index = "-1", letter = ""] = /^@p(\d+)(\w)$/.exec(name) ?? [];
  return [Number(index), `@${letter}`];
};

/**
 * One script of many programs, each an action of its own that runs before anything is attached; a line each.
 * Arguments are entries of maps: begin has none, and constants would be computed by the compiler.
 */
export function scriptOf(programs: readonly Program[], input: (program: Program) => readonly bigint[]): string {
  return programs
    .map((program, i) => {
      const values = input(program).map((n, j) => `@i${i}_${j} = (uint64)${n};`);
      const reads = values.map((_, j) => `$i${j} = @i${i}_${j};`);
      const text = programText(program, { map: ownMap(i), argument: (index) => `$i${index}` });
      return `begin { ${values.join(" ")} } begin { ${reads.join(" ")} ${text} }\n`;
    })
    .join("");
}

/** The maps of each program from all maps of the script. */
export function byProgram(
  programs: readonly Program[],
  maps: readonly (readonly [string, Contents[string]])[],
): readonly Contents[] {
  return programs.map((_, i) =>
    filled(
      maps.filter(([name]) => ownerOf(name)[0] === i).map(([name, entries]) => [ownerOf(name)[1], entries] as const),
    ),
  );
}

/** The maps of each program after one run in the kernel. */
export async function runInKernel(
  sys: Sys,
  programs: readonly Program[],
  input: (program: Program) => readonly bigint[],
  optimize: boolean,
): Promise<readonly Contents[]> {
  const kernel = openKernelView(sys);
  const maps: (readonly [string, Contents[string]])[] = [];
  const unit = compileScript(scriptOf(programs, input), { kernel, optimize });
  using trace = new Trace({
    sys,
    kernel,
    unit,
    onEvent: (event) => {
      assert.notEqual(event.kind, "lost");
      if (event.kind === "map") maps.push([event.map.name, contentsOf(event.map)]);
    },
  });
  assert.equal(await trace.run(), 0);
  return byProgram(programs, maps);
}

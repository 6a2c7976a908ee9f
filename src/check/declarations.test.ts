import assert from "node:assert/strict";
import { test } from "node:test";
import { compileScript, compileWithErrors } from "../../test/support/compile-script.js";
import { Simulation } from "../../test/support/simulation.js";
import { BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH } from "../abi/bpf.js";
import type { ImportedFile } from "../language/import-reader.js";

test("declared maps have the kind and the size that the script says", () => {
  const { object } = compileScript(
    "let @a = hash(7); let @b = lruhash(9); let @c = percpulruhash(11); BEGIN { @a[1] = 1; @b[1] = 1; @c[1] = count(); }",
  );
  const of = (name: string) => object.maps.filter((map) => map.name === name).map((map) => [map.type, map.maxEntries]);
  assert.deepEqual(of("@a"), [[BPF_MAP_TYPE_HASH, 7]]);
  assert.deepEqual(of("@b"), [[BPF_MAP_TYPE_LRU_HASH, 9]]);
  assert.deepEqual(of("@c"), [[BPF_MAP_TYPE_LRU_PERCPU_HASH, 11]]);
});

test("declarations that cannot be", () => {
  const cases: Readonly<Record<string, RegExp>> = {
    "let @a = btree(1); BEGIN { @a[1] = 1; }":
      /Invalid bpf map type: btree[\s\S]*hash, lruhash, percpuhash, percpulruhash/,
    "let @a = hash(0); BEGIN { @a[1] = 1; }": /a map holds 1 to/,
    "let @a = hash(1); BEGIN { @a[1] = count(); }": /Incompatible map types.*declaration: hash.*percpuhash/,
    "let @a = percpuhash(1); BEGIN { @a[1] = 1; }": /Incompatible map types.*declaration: percpuhash/,
    "let @a = hash(1); let @a = hash(2); BEGIN { @a[1] = 1; }": /@a is declared already/,
  };
  for (const [script, expected] of Object.entries(cases)) assert.match(compileWithErrors(script), expected, script);
});

test("named parameters: defaults say the type, and all uses agree", () => {
  const said = (script: string, ...named: [string, string][]) => {
    const simulation = new Simulation(script, { named: new Map(named) });
    simulation.fire();
    return simulation.said;
  };
  const script = 'BEGIN { print((getopt("n", 1), getopt("flag"), getopt("text", "hi"), getopt("on", true))); }';
  assert.deepEqual(said(script), ["(1,false,hi,true)"]);
  assert.deepEqual(said(script, ["n", "-0x10"], ["flag", "true"], ["text", "5"], ["on", "0"]), ["(-16,true,5,false)"]);
  const fails = (text: string, expected: RegExp, ...named: [string, string][]) =>
    assert.match(compileWithErrors(text, { named: new Map(named) }), expected);
  fails(script, /--n invalid integer \(value: x\)/, ["n", "x"]);
  fails(script, /--flag expects a boolean/, ["flag", "5"]);
  fails(script, /unexpected program command line options: --zz[\s\S]*expected program options: --n, --flag/, [
    "zz",
    "1",
  ]);
  fails(
    'BEGIN { print(getopt("n", 1) + getopt("n", 2)); }',
    /needs the same default wherever it is used; before it was 1/,
  );
  fails('BEGIN { print(getopt("n", pid)); }', /needs a literal number, text, true or false/);
});

test("imports: macros, maps and probes of other files, each file once", () => {
  const files: Readonly<Record<string, string>> = {
    "/lib/a.bt": 'import "b.bt"; macro two() { one() + 1 }',
    "/lib/b.bt": 'import "a.bt"; macro one() { 1 } let @m = hash(3);',
    "/lib/c.bt": "config = { max_map_keys = 5 } macro c() { 1 }",
  };
  const imports = {
    read: (path: string) => {
      const full = `/lib/${path}`;
      const text = files[full];
      const found: ImportedFile[] = [{ kind: "script", path: full, text: text ?? "" }];
      return text === undefined ? { problem: "there is no such file" } : found;
    },
  };
  const script = 'import "a.bt"; import "b.bt"; BEGIN { @m[1] = 1; print(two()); }';
  const simulation = new Simulation(script, { imports });
  simulation.fire();
  assert.deepEqual(simulation.said, ["2"]);
  assert.deepEqual(simulation.compiled.object.maps.find((map) => map.name === "@m")?.maxEntries, 3);
  assert.match(
    compileWithErrors('import "x.bt"; BEGIN { }', { imports }),
    /cannot import 'x.bt': there is no such file/,
  );
  const library = new Simulation(
    'import "stdlib/strings"; import "stdlib"; import "stdlib/test"; BEGIN { print(__always_true()); }',
    {
      imports,
    },
  );
  library.fire();
  assert.deepEqual(library.said, ["1"]);
  assert.match(compileWithErrors('import "stdlib/x"; BEGIN { }', { imports }), /cannot import 'stdlib\/x'/);
  assert.match(compileWithErrors('import "c.bt"; BEGIN { }', { imports }), /invalid `config` within import/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { FixtureKernel } from "../../test/support/fixture-kernel.js";
import { i32, none, pointer, string, type Type, u8, u64 } from "../types/type.js";
import { builtinNames, builtins, findBuiltin } from "./builtins/index.js";
import { cTypeToType, namedType } from "./c-type.js";
import { configKeys, configNameOf, defaultConfig, isConfigName } from "./config.js";
import { describeType } from "./describe-type.js";
import { findMapFunction, mapFunctions } from "./map-functions/index.js";
import { probes } from "./probes/index.js";

test("types in the language's own words", () => {
  const cases: readonly (readonly [Type, string])[] = [
    [none, "void"],
    [u8, "uint8"],
    [i32, "int32"],
    [{ kind: "bool" }, "bool"],
    [string(16), "string[16]"],
    [{ kind: "buffer", size: 4 }, "buffer[4]"],
    [pointer(u64, "user"), "uint64 *"],
    [pointer(pointer(none, "user"), "user"), "void **"],
    [{ kind: "array", of: u8, count: 4 }, "uint8[4]"],
    [{ kind: "tuple", items: [u8, string(3)] }, "(uint8,string[3])"],
    [{ kind: "stack", user: true, mode: "raw", depth: 1 }, "ustack"],
    [{ kind: "stack", user: false, mode: "raw", depth: 1 }, "kstack"],
    [{ kind: "hist", bits: 0 }, "hist"],
    [{ kind: "hist", bits: 2 }, "hist(n, 2)"],
    [{ kind: "lhist", min: 0n, max: 10n, step: 1n }, "lhist(n, 0, 10, 1)"],
    [{ kind: "ksym" }, "ksym"],
  ];
  for (const [type, text] of cases) assert.equal(describeType(type), text);
});

test("C types by name", () => {
  const kernel = new FixtureKernel();
  const cases: Readonly<Record<string, string>> = {
    int: "int32",
    "unsigned long": "uint64",
    "const char *": "int8 *",
    "struct task_struct *": "struct task_struct *",
    "struct unknown_thing *": "struct unknown_thing *",
    pid_t: "int32",
    u32: "uint32",
    __u16: "uint16",
    size_t: "uint64",
    "const char *const *": "int8 **",
    void: "void",
    "no such type": "void",
  };
  for (const [name, text] of Object.entries(cases))
    assert.equal(describeType(cTypeToType(name, "kernel", kernel)), text, name);
  const user = cTypeToType("const char __user *", "kernel", kernel);
  assert.ok(user.kind === "pointer" && user.space === "user");
  assert.equal(namedType("struct nope", "kernel", kernel), undefined);
  assert.equal(namedType("toString", "kernel", kernel), undefined);
  assert.equal(namedType("struct task_struct", "kernel", new FixtureKernel({ withoutBtf: "none" })), undefined);
});

test("settings: names, values, what is wrong with them", () => {
  assert.deepEqual(["BPFTRACE_MAX_STRLEN", "MAX_STRLEN", "max_strlen"].map(configNameOf), Array(3).fill("max_strlen"));
  assert.ok(isConfigName("max_strlen") && !isConfigName("toString"));
  assert.deepEqual(configKeys.max_strlen.parse("0x40"), { value: 64 });
  assert.deepEqual(configKeys.stack_mode.parse("PERF"), { value: "perf" });
  assert.deepEqual(configKeys.print_maps_on_exit.parse("FALSE"), { value: false });
  assert.deepEqual(configKeys.print_maps_on_exit.parse("1"), { value: true });
  for (const [key, text] of [
    ["max_strlen", "0"],
    ["max_strlen", "-1"],
    ["max_strlen", "1.5"],
    ["max_strlen", ""],
    ["max_map_keys", "99999999999999999999"],
    ["stack_mode", "x"],
    ["print_maps_on_exit", "maybe"],
  ] as const) {
    assert.ok("problem" in configKeys[key].parse(text), `${key} = ${text}`);
  }
  for (const [name, key] of Object.entries(configKeys)) {
    assert.deepEqual(defaultConfig[name as keyof typeof defaultConfig], key.fallback);
    assert.match(key.doc, /^[A-Z].*\.$/);
  }
});

test("the tables: no name twice, each entry documented", () => {
  assert.equal(new Set(builtinNames).size, builtinNames.length);
  const names = probes.flatMap((probe) => [probe.name, ...probe.aliases]);
  assert.equal(new Set(names).size, names.length);
  for (const entry of [...builtins, ...probes, ...mapFunctions]) assert.match(entry.doc, /^[A-Z].{6,}/, entry.name);
  for (const { name } of mapFunctions) assert.equal(findBuiltin(name), undefined, `${name} is a builtin too`);
  assert.equal(findBuiltin("stack"), findBuiltin("kstack"));
  assert.equal(findMapFunction("toString"), undefined);
});

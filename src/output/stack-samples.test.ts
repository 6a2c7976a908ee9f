import assert from "node:assert/strict";
import { test } from "node:test";
import { Profile } from "pprof-format";
import type { Frame, MapSnapshot, Value } from "../wire/value.js";
import { foldedText } from "./folded.js";
import { pprofBytes } from "./pprof.js";
import { speedscopeJson } from "./speedscope.js";
import { type StackSamples, stackSamples } from "./stack-samples.js";

const frame = (symbol: string | undefined, more: Partial<Frame> = {}): Frame => ({
  address: 0x1000n,
  symbol,
  offset: 4n,
  module: undefined,
  ...more,
});

const stack = (user: boolean, frames: readonly Frame[], missing?: string): Value => ({
  kind: "stack",
  user,
  mode: "bpftrace",
  frames,
  ...(missing === undefined ? {} : { missing }),
});

const text = (value: string): Value => ({ kind: "string", value });
const count = (value: bigint): Value => ({ kind: "count", value });

const program = { module: "/bin/shop" };
const user = stack(true, [
  frame("add", {
    ...program,
    source: "/src/a:b.c:24",
    inlined: [{ symbol: "inner", source: "/src/a.h:7" }, { symbol: "middle" }],
  }),
  frame("JS:*loop; x.js:1:1", { module: "[jit]" }),
  frame(undefined, { module: "/usr/lib/libc.so.6", reason: "stripped" }),
  frame(undefined, { reason: "unmapped" }),
  frame("main", program),
]);
const kernel = stack(false, [frame("vfs_read"), frame("ksys_read")]);

function samplesOf(entries: MapSnapshot["entries"], name = "@"): StackSamples {
  const samples = stackSamples({ name, keyed: true, entries });
  assert.ok(samples !== undefined);
  return samples;
}

const shop = samplesOf([
  { key: [kernel, user, text("shop")], value: count(3n) },
  { key: [kernel, user, text("shop")], value: count(4n) },
  { key: [stack(true, [], "bpf_get_stackid failed: -14"), text("idle")], value: count(2n) },
  { key: [kernel, text("nothing")], value: count(0n) },
  { key: [kernel, text("text")], value: text("x") },
]);

test("frames are the key's parts, then the program's stack, then the kernel's, outermost first", () => {
  assert.equal(
    foldedText(shop),
    "idle;[missing] 2\n" +
      "shop;main;[unknown];[libc.so.6];JS:*loop: x.js:1:1_[j];add;middle_[i];inner_[i];ksys_read_[k];vfs_read_[k] 7\n",
  );
  assert.equal(shop.skipped, 2);
});

test("stacks in tuples, and values that are no counts", () => {
  const tuple: Value = { kind: "tuple", items: [{ kind: "int", value: 7n }, kernel] };
  const average: Value = { kind: "avg", count: 2n, total: 10n, average: 5n };
  const hist: Value = {
    kind: "hist",
    bits: 0,
    buckets: new Map([
      [1, 2n],
      [4, 3n],
    ]),
  };
  const folded = (value: Value): string => foldedText(samplesOf([{ key: [tuple], value }]));
  assert.equal(folded(average), "7;ksys_read_[k];vfs_read_[k] 10\n");
  assert.equal(folded(hist), "7;ksys_read_[k];vfs_read_[k] 5\n");
  // A tuple without a stack stays one frame.
  const pair: Value = { kind: "tuple", items: [text("a"), { kind: "int", value: 1n }] };
  assert.equal(
    foldedText(samplesOf([{ key: [pair, kernel], value: count(1n) }])),
    "a, 1;ksys_read_[k];vfs_read_[k] 1\n",
  );
  assert.equal(stackSamples({ name: "@", keyed: true, entries: [{ key: [text("a")], value: count(1n) }] }), undefined);
});

test("bytes that are no UTF-8 can be seen, and what looks like one is told apart", () => {
  const named = (name: string): MapSnapshot["entries"][number] => ({
    key: [stack(true, [frame("f\udcff", { module: "/lib\udcfe.so", source: "/s\udcfd.c:7" })]), text(name)],
    value: count(1n),
  });
  const samples = samplesOf(["\udcff", "\udcfe", "\\xff", "\\x5cxff", "é\\"].map(named));
  assert.equal(
    foldedText(samples),
    ["\\x5cx5cxff", "\\x5cxff", "\\xfe", "\\xff", "é\\"].map((name) => `${name};f\\xff 1\n`).join(""),
  );
  const profile = Profile.decode(pprofBytes([samples], 0n));
  for (const each of ["\\xff", "\\xfe", "\\x5cxff", "f\\xff", "/lib\\xfe.so", "/s\\xfd.c"])
    assert.ok(profile.stringTable.strings.includes(each), each);
  const { shared } = JSON.parse(speedscopeJson([samples], "test"));
  assert.ok(
    shared.frames.some((each: { name: string; file: string }) => each.name === "f\\xff" && each.file === "/s\\xfd.c"),
  );
});

test("speedscope: frames once, a profile for each map", () => {
  const other = samplesOf([{ key: [kernel], value: count(1n) }], "@other");
  const file = JSON.parse(speedscopeJson([shop, other], "test"));
  assert.equal(file.$schema, "https://www.speedscope.app/file-format-schema.json");
  const names = file.shared.frames.map((each: { name: string }) => each.name);
  assert.equal(new Set(names).size, names.length);
  const [first, second] = file.profiles;
  assert.deepEqual([first.name, first.type, first.weights, first.endValue], ["@", "sampled", [7, 2], 9]);
  assert.deepEqual(
    second.samples.map((sample: number[]) => sample.map((i) => names[i])),
    [["ksys_read", "vfs_read"]],
  );
  const add = file.shared.frames.find((each: { name: string }) => each.name === "add");
  assert.deepEqual(add, { name: "add", file: "/src/a:b.c", line: 24 });
});

test("numbers beyond 2^53 keep their last digits", () => {
  const large = (1n << 53n) + 1n;
  const samples = samplesOf([
    { key: [text("a"), kernel], value: count(large) },
    { key: [text("b"), kernel], value: count(large + 1n) },
    { key: [text("c"), kernel], value: count((1n << 64n) - 1n) },
  ]);
  assert.match(
    speedscopeJson([samples], "test"),
    /"endValue":18464758472219033602,.*"weights":\[9007199254740993,9007199254740994,18446744073709551615\]/,
  );
  const values = Profile.decode(pprofBytes([samples], 0n)).sample.map(({ value }) => BigInt(value[0] ?? 0));
  assert.deepEqual(values, [large, large + 1n, (1n << 63n) - 1n]);
  assert.match(foldedText(samples), /^a;ksys_read_\[k\];vfs_read_\[k\] 9007199254740993$/m);
});

test("pprof: samples innermost first, functions with files and lines", () => {
  const other = samplesOf([{ key: [kernel], value: count(1n) }], "@other");
  const profile = Profile.decode(pprofBytes([shop, other], 1_700_000_000_000_000_000n));
  const { strings } = profile.stringTable;
  const name = (id: unknown): string => strings[Number(id)] ?? "";
  assert.deepEqual(
    profile.sampleType.map(({ type, unit }) => `${name(type)} ${name(unit)}`),
    ["samples count", "other count"],
  );
  assert.equal(BigInt(profile.timeNanos), 1_700_000_000_000_000_000n);
  const shown = profile.sample.map(({ locationId, value }) => {
    const frames = locationId.map((id) => {
      const location = profile.location.find((each) => each.id === id)!;
      const [line] = location.line;
      const fn = profile.function.find((each) => each.id === line!.functionId)!;
      return `${name(fn.name)}${fn.filename === 0 ? "" : ` ${name(fn.filename)}:${line!.line}`}`;
    });
    return [frames.join(" < "), ...value.map(Number)];
  });
  assert.deepEqual(shown, [
    [
      "vfs_read < ksys_read < inner /src/a.h:7 < middle < add /src/a:b.c:24 < JS:*loop; x.js:1:1 < [libc.so.6] < [unknown] < main < shop",
      7,
      0,
    ],
    ["[missing] < idle", 2, 0],
    ["vfs_read < ksys_read", 0, 1],
  ]);
  assert.deepEqual(profile.mapping.map(({ filename }) => name(filename)).sort(), [
    "/bin/shop",
    "/usr/lib/libc.so.6",
    "[jit]",
  ]);
});

test("many distinct stacks", () => {
  const entries = Array.from({ length: 100_000 }, (_, i) => ({
    key: [stack(true, [frame(`leaf${i}`), frame(`middle${i % 300}`), frame("main")])],
    value: count(BigInt(i + 1)),
  }));
  const many = samplesOf(entries);
  const total = (100_000n * 100_001n) / 2n;
  assert.equal(
    many.samples.reduce((sum, { value }) => sum + value, 0n),
    total,
  );
  assert.equal(foldedText(many).split("\n").length, 100_001);
  const profile = Profile.decode(pprofBytes([many], 0n));
  assert.equal(
    profile.sample.reduce((sum, { value }) => sum + BigInt(value[0] ?? 0), 0n),
    total,
  );
});

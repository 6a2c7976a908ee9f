import assert from "node:assert/strict";
import { test } from "node:test";
import { utc } from "../formats/time-zone.js";
import type { Loss } from "../wire/event.js";
import type { MapSnapshot, Value } from "../wire/value.js";
import { renderJson } from "./json.js";
import { mapTextParts, renderText } from "./text.js";
import { valueText } from "./value-text.js";

// Expected texts are what bpftrace 0.27.1 printed for the same script, unless a comment says otherwise.

const int = (value: number | bigint): Value => ({ kind: "int", value: BigInt(value) });
const string = (value: string): Value => ({ kind: "string", value });
const tuple = (...items: Value[]): Value => ({ kind: "tuple", items });
const count = (value: number): Value => ({ kind: "count", value: BigInt(value) });
const avg = (total: number, n: number): Value => ({
  kind: "avg",
  count: BigInt(n),
  total: BigInt(total),
  average: BigInt(Math.trunc(total / n)),
});
const stats = (total: number, n: number): Value => ({ ...avg(total, n), kind: "stats" }) as Value;
const hist = (bits: number, buckets: [number, number][]): Value => ({
  kind: "hist",
  bits,
  buckets: new Map(buckets.map(([index, n]) => [index, BigInt(n)])),
});
const map = (name: string, entries: [Value[], Value][], extra: Partial<MapSnapshot> = {}): MapSnapshot => ({
  name,
  keyed: entries[0] === undefined || entries[0][0].length > 0,
  entries: entries.map(([key, value]) => ({ key, value })),
  ...extra,
});
const frame = (address: bigint, symbol: string | undefined, offset = 0n, module?: string) => ({
  address,
  symbol,
  offset,
  module,
});

function check(snapshot: MapSnapshot, text: string, json: string): void {
  assert.equal(renderText({ kind: "map", map: snapshot }).text, text);
  assert.equal(renderJson({ kind: "map", map: snapshot }).text, json);
}
function checkValue(value: Value, text: string, json: string): void {
  assert.equal(renderText({ kind: "value", value }).text, `${text}\n`);
  assert.equal(renderJson({ kind: "value", value }).text, `{"type": "value", "data": ${json}}\n`);
}

test("keys of maps in JSON: as bpftrace writes them, or in entries that keep different keys apart", () => {
  const entries = (snapshot: MapSnapshot): unknown =>
    JSON.parse(renderJson({ kind: "map", map: snapshot }, { zone: utc, jsonKeys: "entries" }).text);
  const two = map("@", [
    [[string("a,b"), string("c")], int(1)],
    [[string("a"), string("b,c")], int(2)],
  ]);
  assert.equal(
    renderJson({ kind: "map", map: two }).text,
    '{"type": "map", "data": {"@": {"a,b,c": 1, "a,b,c": 2}}, "same_names": 1}\n',
  );
  assert.equal(
    renderJson({ kind: "map", map: two }, { zone: utc, jsonKeys: "entries" }).text,
    '{"type": "map", "data": {"@": [{"key": ["a,b","c"], "value": 1}, {"key": ["a","b,c"], "value": 2}]}}\n',
  );
  // A tuple as the only part is a key of several; within one it stays.
  assert.deepEqual(entries(map("@t", [[[tuple(int(1), string("1"))], int(3)]])), {
    type: "map",
    data: { "@t": [{ key: [1, "1"], value: 3 }] },
  });
  assert.deepEqual(entries(map("@n", [[[tuple(int(-1), tuple(string("x"), int(2))), string("y")], int(3)]])), {
    type: "map",
    data: { "@n": [{ key: [[-1, ["x", 2]], "y"], value: 3 }] },
  });
  assert.deepEqual(entries(map("@h", [[[string("a")], hist(0, [[3, 1]])]])), {
    type: "hist",
    data: { "@h": [{ key: ["a"], value: [{ min: 2, max: 3, count: 1 }] }] },
  });
  const linear: Value = { kind: "lhist", min: 0n, max: 10n, step: 5n, buckets: new Map([[1, 2n]]) };
  assert.deepEqual(entries(map("@l", [[[int(7)], linear]])), {
    type: "hist",
    data: { "@l": [{ key: [7], value: [{ min: 0, max: 4, count: 2 }] }] },
  });
  assert.deepEqual(entries(map("@s", [[[int(7)], stats(150, 2)]])), {
    type: "stats",
    data: { "@s": [{ key: [7], value: { count: 2, average: 75, total: 150 } }] },
  });
  const points = new Map([[10n, 4n]]);
  const series: Value = { kind: "tseries", interval: 1_000_000_000n, intervals: 3, signed: true, points };
  assert.deepEqual(entries(map("@ts", [[[int(7)], series]])), {
    type: "tseries",
    data: { "@ts": [{ key: [7], value: [{ interval_start: "1970-01-01 00:00:10.000000000", value: 4 }] }] },
  });
  // A map without keys has none to be told apart.
  assert.deepEqual(entries(map("@x", [[[], int(5)]])), { type: "map", data: { "@x": 5 } });
});

test("in JSON a byte that is no UTF-8 is a character of its own, so that different keys are different for every reader", () => {
  const bytes = map("@", [
    [[string("\udcff")], int(1)],
    [[string("\udcfe")], int(2)],
    [[string("a\udc80é")], int(3)],
    // The characters that stand for bytes are shown as their own bytes.
    [[string("\uefff")], int(4)],
    [[string("\ufffd")], int(5)],
  ]);
  assert.equal(
    renderJson({ kind: "map", map: bytes }).text,
    '{"type": "map", "data": {"@": {"\\uefff": 1, "\\ueffe": 2, "a\\uef80é": 3, "\\uefee\\uefbf\\uefbf": 4, "\ufffd": 5}}}\n',
  );
  checkValue(string("\b\udcff"), "\b\udcff", '"\\u0008\\uefff"');
});

test("scalar maps", () => {
  check(map("@i", [[[], int(5)]]), "@i: 5\n", '{"type": "map", "data": {"@i": 5}}\n');
  check(map("@neg", [[[], int(-7)]]), "@neg: -7\n", '{"type": "map", "data": {"@neg": -7}}\n');
  check(
    map("@u", [[[], int(2n ** 64n - 1n)]]),
    "@u: 18446744073709551615\n",
    '{"type": "map", "data": {"@u": "18446744073709551615"}}\n',
  );
  check(
    map("@big", [[[], int(1n << 60n)]]),
    "@big: 1152921504606846976\n",
    '{"type": "map", "data": {"@big": 1152921504606846976}}\n',
  );
  check(
    map("@big2", [[[], int((1n << 60n) + 1n)]]),
    "@big2: 1152921504606846977\n",
    '{"type": "map", "data": {"@big2": "1152921504606846977"}}\n',
  );
  check(
    map("@t", [[[], tuple(int(1), string("a"), tuple(int(2), int(-3)))]]),
    "@t: (1, a, (2, -3))\n",
    '{"type": "map", "data": {"@t": [1,"a",[2,-3]]}}\n',
  );
  check(map("@b", [[[], { kind: "bool", value: true }]]), "@b: true\n", '{"type": "map", "data": {"@b": true}}\n');
  check(map("@c", [[[], count(1)]]), "@c: 1\n", '{"type": "map", "data": {"@c": 1}}\n');
  check(map("@avg", [[[], avg(7, 2)]]), "@avg: 3\n", '{"type": "stats", "data": {"@avg": 3}}\n');
  check(
    map("@st", [[[], stats(-5, 2)]]),
    "@st: { .count = 2, .average = -2, .total = -5 }\n",
    '{"type": "stats", "data": {"@st": {"count": 2, "average": -2, "total": -5}}}\n',
  );
  check(map("@none", []), "", "");
});

test("keyed maps are sorted by number, or else by key", () => {
  check(
    map("@i64", [
      [[string("a")], int(5)],
      [[string("b")], int(-5)],
      [[string("d")], int(10)],
    ]),
    "@i64[b]: -5\n@i64[a]: 5\n@i64[d]: 10\n",
    '{"type": "map", "data": {"@i64": {"b": -5, "a": 5, "d": 10}}}\n',
  );
  check(
    map("@kk", [
      [[int(1), string("x")], string("zz")],
      [[int(2), string("a")], string("aa")],
      [[int(-1), string("b")], string("mm")],
    ]),
    "@kk[-1, b]: mm\n@kk[1, x]: zz\n@kk[2, a]: aa\n",
    '{"type": "map", "data": {"@kk": {"-1,b": "mm", "1,x": "zz", "2,a": "aa"}}}\n',
  );
  check(
    map("@stk", [
      [[string("a")], stats(2, 1)],
      [[string("z")], stats(1, 1)],
    ]),
    "@stk[z]: { .count = 1, .average = 1, .total = 1 }\n@stk[a]: { .count = 1, .average = 2, .total = 2 }\n",
    '{"type": "stats", "data": {"@stk": {"z": {"count": 1, "average": 1, "total": 1}, "a": {"count": 1, "average": 2, "total": 2}}}}\n',
  );
  check(
    map("@tk", [[[tuple(int(1), string("q"))], tuple(int(1), int(2n ** 64n - 1n))]]),
    "@tk[1, q]: (1, 18446744073709551615)\n",
    '{"type": "map", "data": {"@tk": {"1,q": [1,"18446744073709551615"]}}}\n',
  );
  check(
    map("@n", [[[tuple(int(1), int(2)), int(3)], int(5)]]),
    "@n[(1, 2), 3]: 5\n",
    '{"type": "map", "data": {"@n": {"(1,2),3": 5}}}\n',
  );
  check(
    map("@kx", [
      [
        [{ kind: "pointer", value: 0x1234n }, string("s"), { kind: "bool", value: true }],
        { kind: "pointer", value: 0n },
      ],
    ]),
    "@kx[0x1234, s, true]: 0x0\n",
    '{"type": "map", "data": {"@kx": {"0x1234,s,true": 0}}}\n',
  );
  const cc: Value = { kind: "enum", value: 7n, name: "CC" };
  check(map("@ef", [[[cc, int(2)], cc]]), "@ef[CC, 2]: CC\n", '{"type": "map", "data": {"@ef": {"CC,2": 7}}}\n');
  // bpftrace writes "ab" for this key.
  check(map("@a", [[[string("a b")], int(1)]]), "@a[a b]: 1\n", '{"type": "map", "data": {"@a": {"a b": 1}}}\n');
});

test("print(@x, top, div)", () => {
  const entries: [Value[], Value][] = [
    [[string("a")], avg(10, 1)],
    [[string("b")], avg(20, 1)],
    [[string("c")], avg(30, 1)],
    [[string("d")], avg(40, 1)],
  ];
  check(
    map("@", entries, { top: 2, div: 10n }),
    "@[c]: 3\n@[d]: 4\n",
    '{"type": "stats", "data": {"@": {"c": 3, "d": 4}}}\n',
  );
  check(
    map("@", entries, { top: 10, div: 10n }),
    "@[a]: 1\n@[b]: 2\n@[c]: 3\n@[d]: 4\n",
    '{"type": "stats", "data": {"@": {"a": 1, "b": 2, "c": 3, "d": 4}}}\n',
  );
  check(
    map("@s", [[[int(1)], stats(150, 2)]], { top: 0, div: 5n }),
    "@s[1]: { .count = 2, .average = 15, .total = 150 }\n",
    '{"type": "stats", "data": {"@s": {"1": {"count": 2, "average": 15, "total": 150}}}}\n',
  );
  check(
    map("@t", [[[], tuple(int(100), string("x"), tuple(int(50), int(-30)))]], { top: 0, div: 7n }),
    "@t: (14, x, (7, -4))\n",
    '{"type": "map", "data": {"@t": [14,"x",[7,-4]]}}\n',
  );
});

test("histograms", () => {
  const full = "@".repeat(52);
  const none = " ".repeat(52);
  check(
    map("@hd", [
      [
        [],
        hist(0, [
          [4, 3],
          [6, 1],
        ]),
      ],
    ]),
    `@hd:\n[4, 8)                 3 |${full}|\n[8, 16)                0 |${none}|\n[16, 32)               1 |${"@".repeat(17).padEnd(52)}|\n\n`,
    '{"type": "hist", "data": {"@hd": [{"min": 4, "max": 7, "count": 3},{"min": 8, "max": 15, "count": 0},{"min": 16, "max": 31, "count": 1}]}}\n',
  );
  check(
    map(
      "@hd",
      [
        [
          [],
          hist(0, [
            [4, 3],
            [6, 1],
          ]),
        ],
      ],
      { top: 0, div: 2n },
    ),
    `@hd:\n[4, 8)                 1 |${full}|\n[8, 16)                0 |${none}|\n[16, 32)               0 |${none}|\n\n`,
    '{"type": "hist", "data": {"@hd": [{"min": 4, "max": 7, "count": 1},{"min": 8, "max": 15, "count": 0},{"min": 16, "max": 31, "count": 0}]}}\n',
  );
  check(
    map("@hk", [
      [[string("b")], hist(0, [[5, 2]])],
      [[string("a")], hist(0, [[3, 1]])],
    ]),
    `@hk[a]:\n[2, 4)                 1 |${full}|\n\n@hk[b]:\n[8, 16)                2 |${full}|\n\n`,
    '{"type": "hist", "data": {"@hk": {"a": [{"min": 2, "max": 3, "count": 1}], "b": [{"min": 8, "max": 15, "count": 2}]}}}\n',
  );
  check(map("@zh", [[[], hist(0, [])]]), "@zh:\n\n", '{"type": "hist", "data": {"@zh": []}}\n');
  const linear: Value = {
    kind: "lhist",
    min: 0n,
    max: 10n,
    step: 4n,
    buckets: new Map([
      [2, 1n],
      [3, 2n],
    ]),
  };
  check(
    map("@lk", [[[string("a")], linear]]),
    `@lk[a]:\n[4, 8)                 1 |${"@".repeat(26).padEnd(52)}|\n[8, ...)               2 |${full}|\n\n`,
    '{"type": "hist", "data": {"@lk": {"a": [{"min": 4, "max": 7, "count": 1},{"min": 8, "count": 2}]}}}\n',
  );
});

test("values", () => {
  checkValue(
    tuple(int(1), string("two"), tuple(int(3), { kind: "bool", value: true })),
    "(1, two, (3, true))",
    '[1,"two",[3,true]]',
  );
  checkValue(string('a\x01"b'), 'a\x01"b', '"a\\u0001\\"b"');
  checkValue({ kind: "pointer", value: 4660n }, "0x1234", "4660");
  checkValue({ kind: "enum", value: 7n, name: "CC" }, "CC", "7");
  checkValue({ kind: "buffer", bytes: Uint8Array.of(0x61, 1, 0xff, 0x7a) }, "a\\x01\\xffz", "[97,1,-1,122]");
  checkValue(
    {
      kind: "record",
      fields: [
        { name: "m", value: int(2) },
        { name: "n", value: { kind: "array", items: [int(1), int(2)] } },
      ],
    },
    "{ .m = 2, .n = [1,2] }",
    '{"m": 2, "n": [1,2]}',
  );
  checkValue({ kind: "symbol", value: "127.0.0.1" }, "127.0.0.1", '"127.0.0.1"');
});

test("stacks", () => {
  const kernel: Value = {
    kind: "stack",
    user: false,
    mode: "bpftrace",
    frames: [
      frame(0xffffffff814b096dn, "perf_syscall_enter", 397n),
      frame(0xffffffff81415b70n, "syscall_trace_enter", 384n),
    ],
  };
  checkValue(
    kernel,
    "\n        perf_syscall_enter+397\n        syscall_trace_enter+384\n",
    '"\\n        perf_syscall_enter+397\\n        syscall_trace_enter+384\\n"',
  );
  check(
    map("@", [[[kernel], count(2)]]),
    "@[\n        perf_syscall_enter+397\n        syscall_trace_enter+384\n]: 2\n",
    '{"type": "map", "data": {"@": {"\\nperf_syscall_enter+397\\nsyscall_trace_enter+384\\n": 2}}}\n',
  );
  check(
    map("@nested", [[[int(1), tuple(int(2), kernel)], string("x")]]),
    "@nested[1, (2, \n        perf_syscall_enter+397\n        syscall_trace_enter+384\n)]: x\n",
    '{"type": "map", "data": {"@nested": {"1,(2,\\nperf_syscall_enter+397\\nsyscall_trace_enter+384\\n)": "x"}}}\n',
  );
  const user: Value = {
    kind: "stack",
    user: true,
    mode: "perf",
    frames: [
      frame(0x7fb46e7164f7n, "getppid", 7n, "/usr/lib/x86_64-linux-gnu/libc.so.6"),
      frame(0x55b893545170n, undefined),
    ],
  };
  checkValue(
    user,
    "\n\t7fb46e7164f7 getppid+7 (/usr/lib/x86_64-linux-gnu/libc.so.6)\n\t55b893545170 0x55b893545170 ([unknown])\n",
    '"\\n\\t7fb46e7164f7 getppid+7 (/usr/lib/x86_64-linux-gnu/libc.so.6)\\n\\t55b893545170 0x55b893545170 ([unknown])\\n"',
  );
  checkValue(
    { ...kernel, mode: "perf" } as Value,
    "\n\tffffffff814b096d perf_syscall_enter+397\n\tffffffff81415b70 syscall_trace_enter+384\n",
    '"\\n\\tffffffff814b096d perf_syscall_enter+397\\n\\tffffffff81415b70 syscall_trace_enter+384\\n"',
  );
  checkValue(
    { ...kernel, mode: "raw" } as Value,
    "\nffffffff814b096d\nffffffff81415b70\n",
    '"\\nffffffff814b096d\\nffffffff81415b70\\n"',
  );
  const inlined: Value = {
    ...(user as Extract<Value, { kind: "stack" }>),
    frames: [
      {
        ...frame(0x401088n, "outer", 72n, "/bin/a"),
        source: "/src/a.c:24",
        inlined: [{ symbol: "inner", source: "/src/a.h:7" }, { symbol: "middle" }],
      },
    ],
  };
  checkValue(
    { ...inlined, mode: "bpftrace" },
    "\n        [inlined] inner@/src/a.h:7\n        [inlined] middle\n        outer+72@/src/a.c:24\n",
    '"\\n        [inlined] inner@/src/a.h:7\\n        [inlined] middle\\n        outer+72@/src/a.c:24\\n"',
  );
  checkValue(
    inlined,
    "\n\t401088 inner (inlined)\n\t401088 middle (inlined)\n\t401088 outer+72 (/bin/a)\n",
    '"\\n\\t401088 inner (inlined)\\n\\t401088 middle (inlined)\\n\\t401088 outer+72 (/bin/a)\\n"',
  );
  // Ours: why a stack is empty.
  checkValue(
    { ...kernel, frames: [], missing: "hash collision" } as Value,
    "\n        <hash collision>\n",
    '"\\n        <hash collision>\\n"',
  );
});

test("other events", () => {
  const source = { name: "stdin", text: 'BEGIN { $x = 1;\n  errorf("bad %s", "x"); }' };
  const span = { source, start: 18, end: 39 };
  assert.deepEqual(renderText({ kind: "printf", text: "a" }), { stream: "out", text: "a" });
  assert.equal(
    renderJson({ kind: "printf", text: 'test \r \n \t \\ " bar' }).text,
    '{"type": "printf", "data": "test \\r \\n \\t \\\\ \\" bar"}\n',
  );
  assert.equal(
    renderJson({ kind: "printf", text: "\b\f\\b é" }).text,
    '{"type": "printf", "data": "\\u0008\\u000c\\\\b é"}\n',
  );
  assert.deepEqual(renderText({ kind: "attached", probes: 1 }), { stream: "err", text: "Attached 1 probe\n" });
  assert.deepEqual(renderText({ kind: "attached", probes: 2 }), { stream: "err", text: "Attached 2 probes\n" });
  assert.equal(
    renderJson({ kind: "attached", probes: 1 }).text,
    '{"type": "attached_probes", "count": 1, "data": {"probes": 1}}\n',
  );
  const told = (...losses: readonly Loss[]) => renderText({ kind: "lost", losses }).text;
  const room = { kind: "percpuhash", keys: 4096, declared: false };
  assert.match(
    told({ reason: "map-full", subject: "@a", count: 2n, room }),
    /^WARNING: Map full; .* lost 2 updates of @a\. Raise max_map_keys, .*: let @a = percpuhash\(50000\);\n$/,
  );
  const declared = told({
    reason: "map-full",
    subject: "@a",
    count: 2n,
    room: { ...room, kind: "hash", declared: true },
  });
  assert.match(declared, /@a\. Its declaration has room for 4096 keys; for more: let @a = hash\(8192\);\n$/);
  assert.match(
    told({ reason: "map-memory", subject: "@a", count: 2n, room }),
    /2 updates of @a: the kernel had no memory/,
  );
  assert.match(
    told({ reason: "map-memory", subject: "@a", count: 2n, room: { ...room, kind: "lruhash" } }),
    /No key could be dropped/,
  );
  assert.match(told({ reason: "map-busy", subject: "@a", count: 2n, room }), /changing the same part of the map/);
  assert.deepEqual(renderText({ kind: "lost", losses: [{ reason: "ring-full", count: 3n }] }), {
    stream: "err",
    text: "Lost 3 events\n",
  });
  assert.equal(
    renderJson({ kind: "lost", losses: [{ reason: "ring-full", count: 3n }] }).text,
    '{"type": "lost_events", "count": 3, "data": {"events": 3}}\n',
  );
  assert.deepEqual(renderText({ kind: "join", text: "a b" }), { stream: "out", text: "a b\n" });
  assert.deepEqual(renderText({ kind: "end" }), { stream: "out", text: "\n\n" });
  assert.equal(renderJson({ kind: "time", text: "2026\n" }).text, '{"type": "time", "data": "2026\\n"}\n');
  assert.deepEqual(renderText({ kind: "errorf", text: "bad x", span }), {
    stream: "err",
    text: "stdin:2:3-24: ERROR: bad x\n",
  });
  assert.equal(
    renderJson({ kind: "errorf", text: "bad x", span }).text,
    '{"type": "errorf", "msg": "bad x", "filename": "stdin", "line": 2, "col": 3}\n',
  );
  assert.equal(
    renderJson({ kind: "helper-error", helper: "probe_read_user", retcode: -14, span }).text,
    '{"type": "helper_error", "msg": "Bad address", "helper": "probe_read_user", "retcode": -14, "filename": "stdin", "line": 2, "col": 3}\n',
  );
  assert.equal(
    renderText({ kind: "helper-error", helper: "probe_read_user", retcode: -14, span }).text,
    'stdin:2:3-24: WARNING: Bad address\nAdditional Info - helper: probe_read_user, retcode: -14\n  errorf("bad %s", "x"); }\n  ~~~~~~~~~~~~~~~~~~~~~\n',
  );
});

test("a stack of build ids: the file's id and the offset in it, or the bare address", () => {
  const frames = [
    { address: 0x9bb44n, symbol: "93ac61ec5a", offset: 0x9n, module: undefined },
    { address: 0x4257e0b0n, symbol: undefined, offset: 0n, module: undefined },
  ];
  assert.equal(valueText({ kind: "stack", user: true, mode: "build_id", frames }), "\n93ac61ec5a 0x09\n4257e0b0\n");
});

test("JSON says why addresses have no name", () => {
  const stack = {
    kind: "stack",
    user: true,
    mode: "bpftrace",
    frames: [
      { address: 0x1000n, symbol: "main", offset: 4n, module: "/bin/a" },
      { address: -1n, symbol: undefined, offset: 0n, module: "/lib/b", reason: "stripped" },
      { address: 0x10n, symbol: undefined, offset: 0n, module: undefined, reason: "unmapped" },
    ],
  } as const;
  const unnamed =
    '"unnamed": {"0xffffffffffffffff": {"reason": "stripped", "module": "/lib/b"}, "0x10": {"reason": "unmapped"}}';
  const value = renderJson({ kind: "value", value: stack }).text;
  assert.ok(value.endsWith(`, ${unnamed}}\n`), value);
  assert.deepEqual(Object.keys(JSON.parse(value)), ["type", "data", "unnamed"]);
  const one = { kind: "int", value: 1n } as const;
  const map = {
    name: "@",
    keyed: true,
    entries: [{ key: [{ kind: "tuple", items: [one, stack] }], value: one }],
  } as const;
  assert.ok(renderJson({ kind: "map", map }).text.endsWith(`, ${unnamed}}\n`));
  const symbol = { kind: "symbol", value: "0x7", unnamed: "process-gone" } as const;
  assert.equal(
    renderJson({ kind: "value", value: symbol }).text,
    '{"type": "value", "data": "0x7", "unnamed": {"0x7": {"reason": "process-gone"}}}\n',
  );
  assert.equal(renderJson({ kind: "value", value: one }).text, '{"type": "value", "data": 1}\n');
});

test("stacks of a map that are named when they are shown: sorted by addresses, named entry by entry", () => {
  const asked: bigint[] = [];
  const late = (...addresses: bigint[]): Value => ({
    kind: "stack",
    user: true,
    mode: "bpftrace",
    addresses: BigUint64Array.from(addresses),
    get frames() {
      asked.push(addresses[0] ?? 0n);
      return addresses.map((address) => ({ address, symbol: `f${address}`, offset: 0n, module: undefined }));
    },
  });
  const none: Value = { kind: "stack", user: true, mode: "bpftrace", frames: [] };
  const one: Value = { kind: "count", value: 1n };
  const snapshot = map("@", [
    [[late(3n)], one],
    [[late(1n, 5n)], one],
    [[late(1n)], one],
    [[none], one],
    [[late(2n)], { kind: "count", value: 0n }],
  ]);
  const parts: string[] = [];
  for (const part of mapTextParts(snapshot)) {
    // A step of the sorting.
    if (part === "") continue;
    parts.push(part.replaceAll("\n", "|"));
    assert.ok(asked.length <= parts.length);
  }
  assert.deepEqual(parts, [
    "@[|        f2+0|]: 0|",
    "@[|]: 1|",
    "@[|        f1+0|]: 1|",
    "@[|        f1+0|        f5+0|]: 1|",
    "@[|        f3+0|]: 1|",
  ]);
  assert.deepEqual(asked, [2n, 1n, 1n, 3n]);
  const { text } = renderJson({ kind: "map", map: snapshot });
  const data = '"\\nf2+0\\n": 0, "\\n": 1, "\\nf1+0\\n": 1, "\\nf1+0\\nf5+0\\n": 1, "\\nf3+0\\n": 1';
  assert.equal(text, `{"type": "map", "data": {"@": {${data}}}}\n`);
});

test("a large map is sorted in steps as a small one is at once", () => {
  const entries = Array.from({ length: 40_000 }, (_, i) => ({
    key: [{ kind: "int", value: BigInt((i * 7919) % 40_000) }] as const,
    value: { kind: "int", value: BigInt((i * 104_729) % 1009) } as const,
  }));
  const parts = [...mapTextParts({ name: "@", keyed: true, entries })];
  assert.ok(parts.filter((part) => part === "").length > 5);
  const wanted = [...entries]
    .sort((a, b) => Number(a.value.value - b.value.value) || Number(a.key[0].value - b.key[0].value))
    .map(({ key, value }) => `@[${key[0].value}]: ${value.value}\n`);
  assert.deepEqual(
    parts.filter((part) => part !== ""),
    wanted,
  );
  const top = [...mapTextParts({ name: "@", keyed: true, entries, top: 3 })].filter((part) => part !== "");
  assert.deepEqual(top, wanted.slice(-3));
});

// Values that are allocated while programs run: no update is lost while the map has room, and each that is lost has its reason.
import assert from "node:assert/strict";
import { test } from "node:test";
import { lacks, lines, run, Tracer } from "../support/run.js";

/** Lines of buckets by the heads that they stand below: `@h[3]:` and `[3]   1 |@@@|`. */
function counts(out: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of lines(out)) {
    const head = /^(@\w*\[.*\]):/.exec(line)?.[1];
    if (head !== undefined) {
      current = [];
      found.set(head, current);
      continue;
    }
    const bucket = /^([[(][^|]*?)\s+(\d+) \|/.exec(line);
    if (bucket !== null && bucket[2] !== "0") current.push(`${bucket[1]} ${bucket[2]}`);
  }
  return found;
}

test("300 new keys of lhist() in one action", { skip: lacks("bpfLoop") }, async () => {
  const { out, err } = await run(
    "-e",
    "begin { for ($i : 0..300) { @h[$i] = lhist($i, 0, 1000, 1); @h[$i] = lhist(900, 0, 1000, 1); } print((len(@h), has_key(@h, 299), has_key(@h, 300))); exit(); }",
  );
  assert.match(out, /^\(300, true, false\)$/m);
  const found = counts(out);
  for (let i = 0; i < 300; i++) assert.deepEqual(found.get(`@h[${i}]`), [`[${i}] 1`, "[900] 1"], `${i}: ${err}`);
  assert.equal(found.size, 300);
  assert.doesNotMatch(err, /lost/i);
});

test("4,000 new keys of hist() in one action, all buckets", { skip: lacks("bpfLoop") }, async () => {
  const script =
    "begin { for ($i : 0..4000) { @h[$i] = hist(-1); @h[$i] = hist(0); @h[$i] = hist($i); @h[$i] = hist(1 << 40); @h[$i] = hist(1 << 62); } exit(); }";
  const { out, err } = await run("-e", script);
  const found = counts(out);
  assert.equal(found.size, 4000);
  for (const [key, buckets] of found)
    assert.equal(
      buckets.reduce((sum, bucket) => sum + Number(bucket.split(" ").at(-1)), 0),
      5,
      key,
    );
  assert.doesNotMatch(err, /lost/i);
});

test("new keys of tseries() with many intervals", { skip: lacks("bpfLoop") }, async () => {
  const script = 'begin { for ($i : 0..2000) { @t[$i] = tseries($i, 1h, 200, "sum"); } exit(); }';
  const { out, err } = await run("-f", "json", "-e", script);
  const map = lines(out).find((line) => line.includes('"tseries"')) ?? "{}";
  const { data } = JSON.parse(map) as { data: Record<string, Record<string, readonly unknown[]>> };
  assert.equal(Object.keys(data["@t"] ?? {}).length, 2000);
  assert.doesNotMatch(err + out, /lost|"loss"/i);
});

test("new keys in interrupts, on all processors at once", { skip: lacks("bpfLoop") }, async () => {
  // Nothing can be allocated there: what the kernel keeps ready is refilled when the interrupt has returned.
  const script = `profile:hz:99 /@n[cpu] < 5/ { @n[cpu]++; for ($i : 0..1500) { @h[$i] = hist($i); @l[$i] = lhist(3, 0, 1000, 1); } }
    interval:ms:20 { if (len(@n) == ncpus && @n[0] >= 5 && @n[ncpus - 1] >= 5) { exit(); } }`;
  const { out, err } = await run("-e", script);
  const found = counts(out);
  const cpus = lines(out).filter((line) => line.startsWith("@n[")).length;
  assert.equal(found.size, 3000 + cpus);
  for (const [key, buckets] of found)
    if (!key.startsWith("@n["))
      assert.equal(
        buckets.reduce((sum, bucket) => sum + Number(bucket.split(" ").at(-1)), 0),
        5 * cpus,
        key,
      );
  assert.doesNotMatch(err, /lost/i);
});

test("all buckets of many new keys in one interrupt", { skip: lacks("bpfLoop") }, async () => {
  const script =
    "begin { @s = 1; } profile:hz:99 /@s == 1/ { @s = 2; for ($i : 0..500) { for ($j : 0..60) { @h[$i] = hist((uint64)1 << $j); } } exit(); }";
  const { out, err } = await run("-e", script);
  const found = counts(out);
  assert.equal(found.size, 500);
  for (const [key, buckets] of found) assert.equal(buckets.filter((bucket) => bucket.endsWith(" 1")).length, 60, key);
  assert.doesNotMatch(err, /lost/i);
});

test("new keys with long texts as values in an interrupt", { skip: lacks("bpfLoop") }, async () => {
  const script = "begin { @s = 1; } profile:hz:99 { for ($i : 0..3000) { @[$i] = str(0, 1000); } exit(); }";
  const { out, err } = await run("-e", script);
  assert.equal(lines(out).filter((line) => line.startsWith("@[")).length, 3000);
  assert.doesNotMatch(err, /lost/i);
});

test("delete, clear and zero of such values", { skip: lacks("bpfLoop") }, async () => {
  const script = `begin { for ($i : 0..40) { @h[$i] = hist($i); @h[$i] = hist(1 << 50); @c[$i] = hist($i); @z[$i] = lhist($i, 0, 1000, 1); }
      for ($i : 0..38) { delete(@h[$i]); } @h[3] = hist(7);
      print((len(@h), has_key(@h, 3), has_key(@h, 5), delete(@h[39]), delete(@h[77]))); clear(@c); zero(@z); }
    interval:ms:1 { @c[1] = hist(5); @z[2] = lhist(9, 0, 1000, 1); print(@c); print(len(@z)); exit(); }`;
  const { out } = await run("-e", script);
  assert.match(out, /^\(3, true, false, true, false\)$/m);
  assert.match(out, /^40$/m);
  const found = counts(out);
  assert.deepEqual(
    [...found].filter(([key]) => key.startsWith("@h")),
    [
      ["@h[3]", ["[4, 8) 1"]],
      ["@h[38]", ["[32, 64) 1", "[1P, 2P) 1"]],
    ],
  );
  assert.deepEqual(
    [...found].filter(([key]) => key.startsWith("@c")),
    [["@c[1]", ["[4, 8) 1"]]],
  );
  assert.equal([...found.keys()].filter((key) => key.startsWith("@z")).length, 40);
  assert.deepEqual(found.get("@z[2]"), ["[9] 1"]);
  assert.deepEqual(found.get("@z[3]"), []);
});

test("keys that a full map has no room for are counted, and the text names its declaration", {
  skip: lacks("bpfLoop"),
}, async () => {
  const script =
    "begin { for ($i : 0..100) { @h[$i] = hist($i); @h[$i] = hist(3); @n[$i] = count(); @x[$i] = 1; } exit(); }";
  const { out, err } = await new Tracer(["-e", script], { BPFTRACE_MAX_MAP_KEYS: "40" }).end();
  for (const [map, kind, lost] of [
    ["@h", "percpuhash", 120],
    ["@n", "percpuhash", 60],
    ["@x", "hash", 60],
  ] as const) {
    assert.equal(lines(out).filter((line) => line.startsWith(`${map}[`)).length, 40, map);
    assert.match(
      err,
      new RegExp(`Map full; can't update element: lost ${lost} updates of ${map}\\. .*let ${map} = ${kind}\\(`),
    );
  }
  const declared = await run("-e", `let @h = percpuhash(40); let @x = lruhash(40); ${script}`);
  assert.match(declared.err, /lost 120 updates of @h\. .*let @h = percpuhash\(80\)/);
  assert.doesNotMatch(declared.err, /of @h.*max_map_keys|of @x/);
});

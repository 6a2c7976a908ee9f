// Stacks of programs whose frames are known.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { fixture } from "../fixtures/path.js";
import { lacks, lines, pause, run, sameEverywhere } from "../support/run.js";
import { elements, parseXml, textOf } from "../support/xml.js";

const skip = lacks("uprobe");
const program = fixture("elf", "inlined5");

test("lines of the source, and functions that were inlined", { skip: skip || sameEverywhere }, async () => {
  // An instruction of middle() in outer().
  const script = (what: string): string => `uprobe:${program}:outer+72 { ${what} exit(); }`;
  const both = await run("-q", "-e", script('printf("%s%s", ustack(1), ustack(perf, 1));'), "-c", program);
  assert.deepEqual(both.out.trimEnd().split("\n"), [
    "",
    "        [inlined] middle@/src/inlined.c:20",
    "        outer+72@/src/inlined.c:24",
    "",
    "\t401088 middle (inlined)",
    `\t401088 outer+72 (${program})`,
  ]);
  const json = await run("-q", "-f", "json", "-e", script("print(ustack(1));"), "-c", program);
  const text = "\n        [inlined] middle@/src/inlined.c:20\n        outer+72@/src/inlined.c:24\n";
  assert.deepEqual(JSON.parse(lines(json.out)[0] ?? ""), { type: "value", data: text });
  const plain = await run(
    ...["-q", "-e", `config = { show_debug_info = false } ${script("print(ustack(1));")}`, "-c", program],
  );
  assert.equal(plain.out.trimEnd(), "\n        outer+72");
});

test("stacks for other programs: folded, speedscope, pprof, and for people: svg, html", {
  skip: skip || sameEverywhere,
}, async () => {
  const script = `uprobe:${program}:outer+72 { @[ustack(1), "here"] = count(); @other = 1; printf("said\\n"); exit(); }`;
  const folded = await run("-q", "-f", "folded", "-e", script, "-c", program);
  assert.equal(folded.out, "here;outer;middle_[i] 1\n");
  assert.match(folded.err, /^said\n(?:.*\n)*@other: 1$/m);
  const folder = mkdtempSync(join(tmpdir(), "stacks-"));
  try {
    const file = (name: string): string => join(folder, name);
    for (const name of ["a.folded", "a.speedscope.json", "a.pb.gz", "a.svg", "a.html"]) {
      const { status, out, err } = await run("-q", "-o", file(name), "-e", script, "-c", program);
      // A report has the text itself.
      assert.deepEqual([status, out, err.startsWith("said\n")], [0, "", name !== "a.html"], err);
    }
    assert.equal(readFileSync(file("a.folded"), "utf8"), "here;outer;middle_[i] 1\n");
    const { shared, profiles } = JSON.parse(readFileSync(file("a.speedscope.json"), "utf8"));
    const names = profiles[0].samples[0].map((i: number) => shared.frames[i].name);
    assert.deepEqual([names, profiles[0].weights], [["here", "outer", "middle"], [1]]);
    const profile = Profile.decode(gunzipSync(readFileSync(file("a.pb.gz"))));
    assert.deepEqual(
      profile.sample.map(({ value }) => value.map(Number)),
      [[1]],
    );
    const svg = parseXml(readFileSync(file("a.svg"), "utf8"));
    assert.deepEqual(
      [...elements(svg, "title")].slice(1).map(textOf).sort(),
      ["all", "here", "middle", "outer"].map((name) => `${name}: 1 sample (100%)`),
    );
    const html = readFileSync(file("a.html"), "utf8");
    for (const part of ["<h2>@</h2>", "<td>@other</td>", "said\n", "Nothing was lost"])
      assert.ok(html.includes(part), part);
  } finally {
    rmSync(folder, { recursive: true });
  }
  const none = await run("-q", "-f", "folded", "-e", "begin { @n = 1; }");
  assert.match(none.err, /no map is keyed by a stack, so that -f folded has nothing to show\nHINT: key a map by one/);
  assert.equal(none.status, 1);
  const terminal = await run("-f", "pprof", "-e", script);
  assert.match(terminal.err, /-f pprof writes no text\nHINT: -o profile\.pb\.gz says where to/);
});

test("code that Node.js compiles while it runs", { skip: sameEverywhere }, async () => {
  const source =
    "function burn(n) { return n < 2 ? n : burn(n - 1) + burn(n - 2); } console.log('x'); for (;;) burn(25);";
  // It writes a log of V8 where it is, too.
  const folder = mkdtempSync(join(tmpdir(), "stacks-"));
  const child: ChildProcess = spawn(process.execPath, ["--perf-basic-prof", "-e", source], {
    cwd: folder,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const map = `/tmp/perf-${child.pid}.map`;
  try {
    await new Promise((done) => child.stdout?.once("data", done));
    for (let i = 0; i < 500 && !existsSync(map); i++) await pause(20);
    const script = `profile:hz:99 /pid == ${child.pid}/ { @[ustack(1)] = count(); } interval:s:3 { exit(); }`;
    const { out } = await run("-q", "-e", script);
    const burnt = /^ +JS:[~*^]?burn \S*\+\d+\n\]: (\d+)/gm;
    const samples = [...out.matchAll(burnt)].reduce((sum, match) => sum + Number(match[1]), 0);
    assert.ok(samples > 20, out);
  } finally {
    child.kill("SIGKILL");
    rmSync(map, { force: true });
    rmSync(folder, { recursive: true, force: true });
  }
});

test("every one of many stacks is kept, each once", { skip }, async () => {
  const ways = fixture("elf", "paths");
  const script = `uprobe:${ways}:leaf { @[ustack] = count(); @by[ustack(6)] = count(); }
    END { $three = 0; for ($kv : @) { $three += ($kv.1 == 3); } print((len(@), $three, len(@by))); clear(@by); }`;
  const { out, err } = await run("-q", "-f", "json", "-e", script, "-c", ways);
  assert.equal(err, "");
  const [counts, map] = lines(out).map((line) => JSON.parse(line) as { readonly data: unknown });
  // leaf() and five levels above: 2^5.
  assert.deepEqual(counts?.data, [4096, 4096, 32]);
  const { data } = map ?? { data: undefined };
  const keys = Object.keys((data as Readonly<Record<string, object>>)["@"] ?? {});
  assert.equal(keys.length, 4096);
  for (const key of keys) assert.match(key, /^\s*leaf\+\d+\n(?:\s*down\+\d+\n){12,13}\s*_start\+\d+\n(?:\s*0x1\n)?$/);
});

test("every one of more stacks than the kernel's table has places for", { skip: skip || sameEverywhere }, async () => {
  const ways = fixture("elf", "paths15");
  const script = `config = { max_map_keys = 40000 } uprobe:${ways}:leaf { @[ustack(20)] = count(); }
    END { $three = 0; for ($kv : @) { $three += ($kv.1 == 3); } print((len(@), $three)); clear(@); }`;
  const { out, err } = await run("-q", "-e", script, "-c", ways);
  assert.equal(err, "");
  assert.equal(out.trim(), "(32768, 32768)");
});

test("every one of many stacks is printed, whatever there are", { skip: skip || sameEverywhere }, async () => {
  const ways = fixture("elf", "paths15");
  const script = `uprobe:${ways}:leaf { printf("|%s", ustack(raw, 20)); }`;
  const { out, err } = await run("-q", "-e", script, "-c", ways);
  assert.equal(err, "");
  const stacks = out
    .trim()
    .split(/\s*\|\s*/)
    .slice(1);
  assert.equal(stacks.length, 3 * 32768);
  const counts = new Map<string, number>();
  for (const stack of stacks) counts.set(stack, (counts.get(stack) ?? 0) + 1);
  assert.deepEqual([counts.size, new Set(counts.values())], [32768, new Set([3])]);
});

test("a stack that is printed is the one that is kept", { skip }, async () => {
  const ways = fixture("elf", "paths");
  const kinds = ["ustack", "kstack", "ustack(3)", "ustack(perf)", "ustack(raw, 40)", "ustack(build_id)"];
  if (process.arch === "x64") kinds.push("dw_ustack");
  const probes = kinds.map(
    (stack, i) =>
      `uprobe:${ways}:leaf /@n${i}++ < 3/ { @stacks${i}[${stack}] = count(); printf("<${i} %s>", ${stack}); }`,
  );
  const script = `${probes.join("\n")} END { ${kinds.map((_, i) => `clear(@n${i});`).join(" ")} }`;
  const { out, err, status } = await run("-q", "-e", script, "-c", ways);
  assert.equal(status, 0, err);
  assert.doesNotMatch(err, /lost/i);
  for (const [i, stack] of kinds.entries()) {
    const printed = [...out.matchAll(new RegExp(`<${i} ([^>]*)>`, "g"))].map(([, text]) => text);
    const entries = out.matchAll(new RegExp(`^@stacks${i}\\[([^@]*)\\]: (\\d+)$`, "gm"));
    const kept = [...entries].map(([, text, n]) => [text, Number(n)] as const);
    assert.equal(printed.length, 3, `${stack}: ${out}`);
    for (const [text, n] of kept) assert.equal(printed.filter((each) => each === text).length, n, `${stack}: ${out}`);
    const all = kept.reduce((sum, [, n]) => sum + n, 0);
    assert.equal(all, 3, `${stack}: ${out}`);
  }
});

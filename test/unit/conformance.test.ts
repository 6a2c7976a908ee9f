// The conformance command's own rules: how cases are read, and what counts as their output.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions, missingInKernel, parseInfo, reasonNotToRun } from "../conformance/applicable.js";
import { CaseError, parseCases } from "../conformance/case.js";
import { decodeOutput, localTimes, parseExact, problemWith, pythonPattern } from "../conformance/expect.js";
import { conformancePage } from "../conformance/page.js";
import { mergeReports, parseReport, percent, printReport, score, scoreTable } from "../conformance/report.js";
import { fuzz } from "../fixtures/fuzz.js";

const one = (text: string) => parseCases(text, "suite")[0]!;
const minimal = "NAME x\nPROG begin { }\nEXPECT y\n";

test("a block is a case; comments are none, empty lines part them", () => {
  const cases = parseCases(
    `# why\n\n${minimal}\n# not in the way\nNAME  b \nRUN {{BPFTRACE}} -V\n# nor here\nRETURN_CODE 1`,
    "s",
  );
  assert.deepEqual(
    cases.map(({ suite, name, run, returnCode }) => ({ suite, name, run, returnCode })),
    [
      { suite: "s", name: "x", run: { program: "begin { }" }, returnCode: 0 },
      { suite: "s", name: "b", run: { command: "{{BPFTRACE}} -V" }, returnCode: 1 },
    ],
  );
});

test("a value goes on in lines that are indented as far, and keeps what is indented more", () => {
  const { run, expectations } = one(
    "NAME x\nPROG begin {\n       print(1);\n     }\nEXPECT a\n         b\nEXPECT_NONE c",
  );
  assert.deepEqual(run, { program: "begin {\n  print(1);\n}" });
  assert.deepEqual(expectations, [
    { mode: "text", none: false, value: "a\n  b" },
    { mode: "text", none: true, value: "c" },
  ]);
});

test("every directive", () => {
  const text = `NAME all
RUN {{BPFTRACE}} -p {{BEFORE_PID}}
EXPECT_REGEX_NONE no+
BEFORE ./a b
BEFORE ./c
AFTER d
SETUP e
CLEANUP f
TIMEOUT 7
MIN_KERNEL 6.1
MAX_KERNEL 6.6
REQUIRES g
REQUIRES h | i
REQUIRES_FEATURE btf !aot
ENV A=1 B=x=y
ARCH x86_64 | !be
WILL_FAIL
NEW_PIDNS
SKIP_IF_ENV_HAS CI=true
LOCALIZE_TIMESTAMPS 0
`;
  assert.deepEqual(one(text), {
    suite: "suite",
    name: "all",
    run: { command: "{{BPFTRACE}} -p {{BEFORE_PID}}" },
    expectations: [{ mode: "regex", none: true, value: "no+" }],
    timeout: 7,
    before: ["./a b", "./c"],
    after: "d",
    setup: "e",
    cleanup: "f",
    minKernel: "6.1",
    maxKernel: "6.6",
    requires: ["g", "h | i"],
    features: ["btf", "!aot"],
    env: { A: "1", B: "x=y" },
    arch: ["x86_64", "!be"],
    willFail: true,
    returnCode: 0,
    newPidNamespace: true,
    skipIfEnv: { name: "CI", value: "true" },
    localTime: 0,
  });
});

test("what is no case says why", () => {
  for (const [text, message] of [
    ["PROG x\nEXPECT y", /no NAME/],
    ["NAME x\nEXPECT y", /one of RUN and PROG/],
    ["NAME x\nPROG a\nRUN b\nEXPECT y", /one of RUN and PROG/],
    ["NAME x\nPROG a", /expects nothing/],
    ["NAME x\nPROG a\nWHAT b", /'WHAT' is no directive/],
    ["NAME x\nPROG a\nEXPECT y\nTIMEOUT soon", /TIMEOUT is no number/],
    ["NAME x\nPROG a\nEXPECT y\nENV A", /NAME=VALUE/],
  ] as const)
    assert.throws(
      () => parseCases(text, "s"),
      (error) => error instanceof CaseError && message.test(error.message),
      text,
    );
});

test("any bytes are cases or a CaseError", () => {
  fuzz(Buffer.from(`${minimal}\n# c\n${minimal}ENV A=1\nTIMEOUT 3\nARCH !be\n`), 500, (bytes) => {
    try {
      parseCases(bytes.toString("latin1"), "s");
    } catch (error) {
      assert.ok(error instanceof CaseError, String(error));
    }
  });
});

const files: Readonly<Record<string, string>> = {
  "text.txt": "\n  a\nb\n\n",
  "times.txt": "%H:00:00 100%\n",
  "one.json": '{"type": "value", "data": [1, 18446744073709551615]}',
  "lines.ndjson": '{"a": 1}\n{"b": 2}\n',
};
function matches(mode: "text" | "regex" | "file" | "json", value: string, output: string, none = false): boolean {
  const readFile = (name: string): string => files[name]!;
  return problemWith({ mode, none, value }, output, { readFile, localTime: 0 }) === undefined;
}

test("a text is a whole line, a pattern may match anywhere, and none is the opposite of both", () => {
  assert.ok(matches("text", "a.b", "x\n  a.b \ny"));
  assert.ok(!matches("text", "a.b", "x a.b"));
  assert.ok(!matches("text", "a.b", "axb"));
  assert.ok(matches("text", "a\n  b", "a\n  b\n"));
  assert.ok(matches("regex", "^b$", "a\nb\nc"));
  assert.ok(!matches("regex", "a.c", "a\nc"));
  assert.ok(matches("text", "a", "b", true) && !matches("text", "a", "a", true));
  assert.ok(matches("regex", "a+", "b", true) && !matches("regex", "a+", "baa", true));
});

test("patterns are Python's", () => {
  assert.ok(pythonPattern("a(?s:.*)d").test("a\nb\nd"));
  assert.ok(!pythonPattern("(?s:a.)b.c").test("a\nb\nc"), "only in the group");
  assert.ok(pythonPattern("[]x]+$").test("]x"));
  assert.ok(pythonPattern("[^]x]").test("a") && !pythonPattern("[^]x]").test("]"));
  assert.ok(pythonPattern("[.](?s:[.])").test("..") && !pythonPattern("[.](?s:[.])").test(".a"));
  assert.ok(pythonPattern("\\(\\[\\.").test("([."));
});

test("files and JSON are compared as a whole", () => {
  assert.ok(matches("file", "text.txt", "a\nb\n") && !matches("file", "text.txt", "a\nb\nc\n"));
  const hour = String(new Date(0).getHours()).padStart(2, "0");
  assert.ok(matches("file", "times.txt", `${hour}:00:00 100%`));
  assert.ok(matches("json", "one.json", '{"data": [1, 18446744073709551615], "type": "value"}\n'));
  assert.ok(!matches("json", "one.json", '{"data": [1, 18446744073709551614], "type": "value"}'), "every digit counts");
  assert.ok(!matches("json", "one.json", "Attached 1 probe\n"));
  assert.ok(matches("json", "lines.ndjson", '{"a":1}\n{"b":2}\n') && !matches("json", "lines.ndjson", '{"a":1}'));
  assert.deepEqual(parseExact('{"x": "12345678901234567890"}'), { x: "12345678901234567890" });
  assert.equal(localTimes("%H %q %%", undefined), "%H %q %%");
});

test("output is decoded as Python does", () => {
  assert.equal(decodeOutput(Buffer.from("a\r\nb\rc")), "a\nb\nc");
  assert.equal(decodeOutput(Buffer.from([0x61, 0xff, 0xc3, 0xa9, 0xe2, 0x82, 0x0a])), "a\\xffé\\xe2\\x82\n");
  assert.equal(decodeOutput(Buffer.from([0xc3])), "\\xc3");
});

test("the facts of --info are read, of either program", () => {
  const facts = parseInfo(`Build
  libdw (DWARF support): yes
Kernel helpers
  dpath: no                        get_tai_ns: yes
  kprobe: no (Linux has it since 4.17)
  module btf: yes
  BTF: 126572 types
`);
  assert.deepEqual(
    [...facts],
    [
      ["libdw (DWARF support)", true],
      ["dpath", false],
      ["get_tai_ns", true],
      ["kprobe", false],
      ["module btf", true],
    ],
  );
});

test("what applies: kernel, machine, features, environment", () => {
  const machine = {
    release: "6.12.3-amd64",
    machine: "x86_64",
    endianness: "LE",
    env: { CI: "true" },
    facts: new Map([
      ["kprobe_multi", false],
      ["btf", true],
    ]),
  } as const;
  const reason = (lines: string): string | undefined => reasonNotToRun(one(minimal + lines), machine);
  assert.equal(reason(""), undefined);
  assert.equal(reason("MIN_KERNEL 6.12\nMAX_KERNEL 6.13"), undefined);
  assert.equal(reason("MIN_KERNEL 6.13"), "needs Linux 6.13");
  assert.equal(reason("MAX_KERNEL 6.6"), "is for Linux 6.6 and older");
  assert.equal(reason("ARCH aarch64|x86_64"), undefined);
  assert.equal(reason("ARCH !le"), "is for !le");
  assert.equal(reason("REQUIRES_FEATURE btf"), undefined);
  assert.equal(reason("REQUIRES_FEATURE !btf"), "needs no btf");
  assert.equal(reason("REQUIRES_FEATURE kprobe_multi"), "needs kprobe_multi");
  assert.equal(reason("REQUIRES_FEATURE dwarf"), undefined, "not told: it is tried");
  assert.match(reason("REQUIRES_FEATURE magic") ?? "", /nobody knows/);
  assert.equal(reason("SKIP_IF_ENV_HAS CI=true"), "CI is true");
  assert.ok(compareVersions("6.9", "6.12") < 0 && compareVersions("6.12", "6.12.0") < 0);
});

test("a case that failed is excused by what its script names and the kernel lacks", () => {
  const facts = new Map([["kprobe", false]]);
  const script = (program: string): string | undefined =>
    missingInKernel(one(`NAME x\nPROG ${program}\nEXPECT y`), facts, () => "");
  assert.match(script("begin { } k:f { }") ?? "", /kprobes/);
  assert.equal(script('begin { print("ok: x") }'), undefined);
  assert.equal(script("uprobe:/bin/sh:f { }"), undefined);
  const command = one("NAME x\nRUN {{BPFTRACE}} scripts/a.bt\nEXPECT y");
  const files: Readonly<Record<string, string>> = { "scripts/a.bt": "kprobe:f { }" };
  assert.match(missingInKernel(command, facts, (name) => files[name] ?? "") ?? "", /kprobes/);
  assert.equal(
    missingInKernel(command, facts, () => ""),
    undefined,
  );
});

test("the score is of the cases that apply; reports are read back", () => {
  const cases = [
    { suite: "b", name: "1", status: "pass", seconds: 1 },
    { suite: "b", name: "2", status: "fail", seconds: 1, reason: "x" },
    { suite: "a", name: "1", status: "not-applicable", seconds: 0, reason: "y" },
  ] as const;
  assert.equal(percent(score("all", cases)), "50.0%");
  assert.equal(percent(score("a", cases.slice(2))), "-");
  assert.deepEqual(
    scoreTable(cases)
      .split("\n")
      .map((line) => line.split(/\s+/).slice(0, 4).join(" ")),
    ["suite pass fail n/a", "a 0 0 1", "b 1 1 0", "all 1 1 1", ""],
  );
  const report = { run: { kernel: "6.1", where: "live", program: "p", day: "2026-01-01" }, cases };
  assert.deepEqual(parseReport(printReport(report)), report);
});

test("the page has a table and the reasons of each kernel", () => {
  const cases = [
    { suite: "b", name: "1", status: "pass", seconds: 1 },
    { suite: "b", name: "2", status: "fail", seconds: 1, reason: "wants |\n a_b" },
    { suite: "b", name: "3", status: "fail", seconds: 1, reason: "known" },
    { suite: "a", name: "1", status: "not-applicable", seconds: 0, reason: "no kprobes" },
    { suite: "a", name: "2", status: "not-applicable", seconds: 0, reason: "no kprobes" },
  ] as const;
  const run = { kernel: "6.1.0", where: "6.1", program: "beetrace 1", day: "2026-01-01" };
  const page = conformancePage({
    reports: [{ run, cases }],
    reasons: { "b.3": "it cannot" },
    required: new Set(["b"]),
  });
  const lines = page.split("\n");
  assert.ok(lines.includes("## Linux 6.1.0 (6.1, in a virtual machine)"));
  assert.ok(lines.includes("| b | 1 | 2 | 0 | 33.3% | 2026-01-01 |"));
  assert.ok(lines.includes("| **all** | 1 | 2 | 2 | 33.3% |  |"));
  assert.ok(lines.includes("- wants \\| a\\_b: `b.2`"));
  assert.ok(lines.includes("- it cannot: `b.3`"));
  assert.ok(lines.includes("- no kprobes: `a.1`, `a.2`"));
});

test("a page that is written again keeps what the results say nothing of: suites and machines", () => {
  const report = (where: string, day: string, ...cases: readonly string[]) => ({
    run: { kernel: `on ${where}`, where, program: "beetrace 1", day },
    cases: cases.map((text) => {
      const [suite = "", name = "", status = ""] = text.split(" ");
      return { suite, name, status: status as "pass" | "fail" | "not-applicable", seconds: 1, reason: "it: `is` |" };
    }),
  });
  const page = (reports: Parameters<typeof conformancePage>[0]["reports"], before?: string): string =>
    conformancePage({ reports, reasons: {}, required: new Set(["b"]), before });
  const first = page([
    report("live", "2026-01-01", "a 1 fail", "b 1 pass", "c 1 not-applicable"),
    report("6.1", "2026-01-01", "a 1 fail"),
  ]);
  const again = page([report("live", "2026-01-02", "b 1 fail", "b 2 not-applicable")], first);
  const [, live = "", other = ""] = again.split(/^## /m);
  assert.deepEqual(live.trim().split("\n").slice(0, 15), [
    "Linux on live",
    "",
    "beetrace 1, 2026-01-02.",
    "",
    "| suite | pass | fail | n/a | of those that apply | day |",
    "| --- | ---: | ---: | ---: | ---: | --- |",
    "| a | 0 | 1 | 0 | 0.0% | 2026-01-01 |",
    "| b | 0 | 1 | 1 | 0.0% | 2026-01-02 |",
    "| c | 0 | 0 | 1 | - | 2026-01-01 |",
    "| **the language's suites** | 0 | 1 | 1 | 0.0% |  |",
    "| **the suites of probes** | 0 | 1 | 1 | 0.0% |  |",
    "| **all** | 0 | 2 | 2 | 0.0% |  |",
    "",
    "### Cases that fail",
    "",
  ]);
  assert.deepEqual(live.match(/^- .*$/gm), ["- it: \\`is\\` \\|: `a.1`, `b.1`", "- it: \\`is\\` \\|: `b.2`, `c.1`"]);
  assert.match(other, /^Linux on 6\.1 \(6\.1, in a virtual machine\)\n/);
  // Nothing is lost or doubled on the way.
  assert.equal(page([report("live", "2026-01-02", "b 1 fail", "b 2 not-applicable")], again), again);
  // What is measured takes the place of what was.
  const better = page([report("live", "2026-01-03", "a 1 pass", "b 1 pass", "c 1 pass")], again);
  assert.equal(better.split(/^## /m)[1]?.includes("### "), false);
});

test("of several runs on one kernel each case has its last result", () => {
  const run = { kernel: "6.1.0", where: "6.1", program: "beetrace", day: "2026-01-01" };
  const record = (name: string, status: "pass" | "fail") => ({ suite: "call", name, status, seconds: 1 });
  const whole = { run, cases: [record("a", "fail"), record("b", "pass"), record("b", "pass"), record("c", "fail")] };
  const again = { run: { ...run, day: "2026-01-02" }, cases: [record("a", "pass"), record("b", "fail")] };
  const other = { run: { ...run, where: "live" }, cases: [record("a", "fail")] };
  const [merged, live] = mergeReports([whole, other, again]);
  assert.deepEqual(merged, {
    run: again.run,
    cases: [record("a", "pass"), record("b", "fail"), record("c", "fail")],
  });
  assert.deepEqual(live, other);
});

// All tests, in the order in which a mistake is found soonest:
//   npm test [-- --only STAGE,STAGE...]
// lint, types, unit, build, pages in a browser (`browser`), then the kernel tests on this machine (`live`) and under other kernels in virtual machines
// (`vm-6.1`, `vm-6.12`, `vm-newest`, `vm-everything`; `vm-arm64`: some of them on another processor). What cannot run here is skipped with its reason, never silently.
import { cpus } from "node:os";
import { basename, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { output as compiled, compileTests, root } from "./compile-tests.mjs";
import { installPackages, rootPrefix } from "./debian.mjs";
import { findKernel, machineOf } from "./kernels.mjs";
import { Results, runLines } from "./test-results.mjs";
import { packagesFor } from "./virtual-machine.mjs";
import { statuses as vmStatus } from "./vm-status.mjs";

/** What the kernel tests run: programs to trace, and a compiler for those that they bring in source. */
const testPackages = ["bash", "coreutils", "gcc", "libc6-dev", "php-cli", "python3", "ruby", "tmux"];

/** What pages are looked at with. */
const browserPackages = ["chromium", "fonts-dejavu-core"];

/** What goes past the language to the kernel. */
const closeToKernel = ["api", "events", "load", "sys"];
/** What kernels differ in: what there is to attach to, what they tell, what their verifiers take. */
const ofKernel = [
  ...closeToKernel,
  ...["backend", "checklist", "cli", "fentry", "iterators", "kprobe-links", "losses", "modules", "new-keys", "order"],
  ...["random-scripts", "targets", "uprobes", "user-stacks", "verifier", "watchpoints"],
];

/**
 * `bare`: nothing but what every system has is mounted, so that the program must mount tracefs itself. `files`: the tests
 * that run, if not all of them. `all`: also those that are the same on each of the kernels, of which one runs them. The one
 * that takes longest comes first.
 */
const vms = {
  "vm-everything": { kernel: "everything", bare: false, all: true },
  "vm-6.1": { kernel: "6.1", bare: true, files: ofKernel },
  "vm-newest": { kernel: "newest", bare: true, files: ofKernel },
  // The same version as the one with everything, as Debian has configured it.
  "vm-6.12": {
    kernel: "6.12",
    bare: false,
    files: [...closeToKernel, "fentry", "kprobe-links", "modules", "uprobes", "verifier"],
  },
  // Emulating another processor takes longer still: what depends on it, and what goes past the language to the kernel.
  "vm-arm64": { kernel: "arm64", bare: false, files: [...closeToKernel, "arm64"] },
};
/** Ends a machine that hangs; one that works needs a quarter of an hour while another runs beside it, on a slow host three. */
const vmSeconds = 3600;
/** A stage that takes longer than this, in milliseconds, says which tests were the slowest. */
const slowStage = 300_000;
const fileSeconds = { unit: 300, browser: 120, live: 300, vm: 900 };

const stageNames = ["lint", "types", "unit", "build", "browser", "live", ...Object.keys(vms)];
const selected = chosenStages();
const started = Date.now();
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;
const say = (text) => process.stdout.write(`${text}\n`);
const write = (text) => process.stdout.write(text);
const all = [];
const bin = (name) => join(root, "node_modules/.bin", name);
process.chdir(root);

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(130));

const vmStages = Object.keys(vms).filter((name) => selected.has(name));
const wantsKernel = selected.has("live") || vmStages.length > 0;
const prefix = wantsKernel ? rootPrefix() : undefined;
const problem = wantsKernel ? await preparePackages() : undefined;
// While the first stages run. Whether it failed, and why, the stage itself finds out.
const kernels = vmStages.map((name) => findKernel(vms[name].kernel).catch(() => undefined));

await stage("lint", "biome check, gen-docs --check", async (results) => {
  await check(results, "biome check", bin("biome"), ["check", "."]);
  await check(results, "generated pages", process.execPath, ["scripts/gen-docs.mjs", "--check"]);
});
await stage("types", "tsc --noEmit, for browsers, too", async (results) => {
  await check(results, "tsc", bin("tsc"), ["--noEmit"]);
  await check(results, "tsc -p src/page", bin("tsc"), ["--noEmit", "-p", "src/page"]);
});
const tests = await compileTests();
await stage("unit", "node:test, no root needed", async (results) => {
  const files = tests.filter(({ source }) => /^(src|test\/unit)\//.test(source));
  await runTests(results, [process.execPath], files, fileSeconds.unit, cpus().length);
});
const buildNeeded = selected.has("build") || wantsKernel;
if (buildNeeded) selected.add("build");
await stage("build", "the bundles in dist/", (results) =>
  check(results, "build", process.execPath, ["scripts/build.mjs"]),
);

await stage("browser", "node:test with Debian's Chromium, no root needed", async (results) => {
  const { missing, reason } = await installPackages(browserPackages, say);
  if (missing.length > 0) return results.skip("browser", `without ${missing.join(" ")}: ${reason}`);
  const files = tests.filter(({ source }) => source.startsWith("test/browser/"));
  return runTests(results, [process.execPath], files, fileSeconds.browser, 1);
});

const kernelTests = tests.filter(({ source }) => source.startsWith("test/kernel/"));
await stage("live", "node:test as root on this machine's kernel", async (results) => {
  if (prefix === undefined) return results.skip("live", "the kernel tests need root or sudo");
  const noBpf = await bpfProblem();
  if (noBpf === undefined) {
    const command = [...prefix, "env", `PATH=${process.env["PATH"]}`, process.execPath];
    return runTests(results, command, kernelTests, fileSeconds.live, 1);
  }
  say(`live: ${noBpf}; the tests run in a virtual machine instead`);
  if (selected.has("vm-6.12")) return results.skip("live", `${noBpf}; vm-6.12 runs the same tests`);
  return runInMachine(results, vms["vm-6.12"]);
});

await Promise.all(kernels);
// Emulation takes a core for each processor of the guest that works, and the tests keep one busy.
const queue = [...vmStages];
const worker = async () => {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const { kernel, bare } = vms[name];
    const what = `node:test in QEMU, kernel ${kernel}${bare ? ", nothing mounted" : ""}`;
    await stage(name, what, (results) => runInMachine(results, vms[name]));
  }
};
await Promise.all(Array.from({ length: Math.min(2, cpus().length) }, worker));

finish();

function chosenStages() {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  const wanted = values.only?.split(",") ?? stageNames;
  for (const name of wanted) {
    if (stageNames.includes(name)) continue;
    process.stderr.write(`no stage ${name}; there are ${stageNames.join(", ")}\n`);
    process.exit(64);
  }
  return new Set(wanted);
}

/** Why the programs that the tests need are not here, if they are not. */
async function preparePackages() {
  const begun = Date.now();
  const wanted = new Set([...testPackages, ...vmStages.flatMap((name) => packagesFor(machineOf(vms[name].kernel)))]);
  const { missing, reason } = await installPackages([...wanted], say);
  if (missing.length > 0) say(`packages: without ${missing.join(" ")} (${reason})`);
  else say(`packages: all there (${seconds(begun)})`);
  return missing.length > 0 ? `without ${missing.join(" ")}: ${reason}` : undefined;
}

async function stage(name, what, run) {
  if (!selected.has(name)) return;
  const results = new Results(name, { write });
  all.push(results);
  const begun = Date.now();
  await run(results);
  if (results.total === 0) results.fail(name, "not one test ran");
  const counts = `${results.passed} passed, ${results.failures.length} failed, ${results.skips.length} skipped`;
  say(`${name}: ${what}: ${counts} (${seconds(begun)})`);
  if (Date.now() - begun > slowStage) say(`${name}: the slowest: ${results.slowest(12).join("; ")}`);
}

/** A command that counts as one test. */
async function check(results, name, command, args) {
  const lines = [];
  const status = await runLines(command, args, { onLine: (line) => lines.push(line) });
  if (status === 0) results.pass();
  else results.fail(name, `status ${status}\n${lines.join("\n")}`);
}

async function runTests(results, [command, ...args], files, limit, concurrency) {
  const status = await runLines(command, [...args, ...testArguments(files, limit, concurrency)], {
    onLine: (line) => results.line(line),
  });
  ended(results, status);
}

function testArguments(files, limit, concurrency) {
  const options = ["--seconds", String(limit), "--concurrency", String(concurrency)];
  // The files run with the options that this process of Node has.
  return [
    "--enable-source-maps",
    "scripts/run-tests.mjs",
    ...options,
    ...files.map((file) => relative(root, file.output)),
  ];
}

/** A run that ended otherwise than by having run all tests is a failure of its own. */
function ended(results, status) {
  if (status === 0 || (status === 1 && results.failures.length > 0)) return;
  results.fail("the run itself", `it ended with status ${status}; the last test that started: ${results.running}`);
}

async function runInMachine(results, { kernel, bare, files, all: isAll = false }) {
  if (prefix === undefined) return results.skip(results.stage, "a machine on this machine's files needs root or sudo");
  const chosen = kernelTests.filter(
    ({ source }) => files === undefined || files.includes(basename(source, ".test.ts")),
  );
  if (files !== undefined && chosen.length !== files.length)
    return results.fail("its files", `not all of these are in test/kernel: ${files.join(" ")}`);
  // Another processor's guest has a Node.js of its own.
  const node = machineOf(kernel) === process.arch ? process.execPath : "node";
  const settings = isAll ? [] : ["env", "BEETRACE_TESTS_ELSEWHERE=1"];
  const inGuest = [...settings, node, ...testArguments(chosen, fileSeconds.vm, 1)];
  const options = ["--kernel", kernel, "--seconds", String(vmSeconds), ...(bare ? ["--bare"] : [])];
  const [command, ...args] = [...prefix, "env", `PATH=${process.env["PATH"]}`, process.execPath, "scripts/vm.mjs"];
  const errors = [];
  const status = await runLines(command, [...args, ...options, "--", ...inGuest], {
    onLine: (line) => results.line(line),
    onErrorLine: (line) => errors.push(line),
  });
  const told = errors.join("\n").trim();
  if (status === vmStatus.unavailable) {
    const why = errors.at(-1)?.replace(/^vm: /, "");
    return results.skip(results.stage, [problem, why].filter(Boolean).join("; "));
  }
  if (status === vmStatus.timeOver || status === vmStatus.noAnswer) {
    return results.fail("the machine", `${told}\nthe last test that started: ${results.running}`);
  }
  ended(results, status);
  // vm.mjs says what the kernel warned of: a tracer must not make it.
  if (told === "") results.pass();
  else results.fail("the kernel's log is clean", told);
}

/** Why this machine's kernel cannot be traced at all, even by root. */
async function bpfProblem() {
  const path = (name) => JSON.stringify(pathToFileURL(join(compiled, name)).href);
  // BPF_MAP_CREATE of an array with one number.
  const code = `
    import { openSys } from ${path("src/sys/ffi.js")};
    import { zeroed } from ${path("src/abi/struct.js")};
    const bytes = zeroed(16);
    new Uint32Array(bytes.buffer).set([2, 4, 4, 1]);
    console.log(openSys().call("bpf", 0, { bytes }, 16));`;
  const lines = [];
  const [command, ...args] = [...prefix, process.execPath, "--input-type=module", "-e", code];
  await runLines(command, args, { onLine: (line) => lines.push(line) });
  if (lines.includes("-1")) return "this machine does not allow bpf(2) even to root (EPERM)";
  if (lines.includes("-38")) return "this machine's kernel has no bpf(2) (ENOSYS)";
  return undefined;
}

function finish() {
  // One line for what is skipped for the same reason in several stages.
  const skips = new Map();
  for (const { stage: name, skips: list } of all) {
    for (const { name: test, reason } of list) {
      const text = `${test}: ${reason}`;
      skips.set(text, [...(skips.get(text) ?? []), name]);
    }
  }
  const skipped = all.reduce((sum, results) => sum + results.skips.length, 0);
  const failures = all.flatMap((results) => results.failures.map((failure) => ({ ...failure, stage: results.stage })));
  const passed = all.reduce((sum, results) => sum + results.passed, 0);
  if (skipped > 0) say("\nSkipped:");
  for (const [text, names] of skips) say(`  [${names.join(" ")}] ${text}`);
  if (failures.length > 0) say("\nFailed:");
  for (const { stage: name, name: test } of failures) say(`  [${name}] ${test}`);
  say(`\nThe whole run took ${seconds(started)}.`);
  say(`${passed} passed, ${failures.length} failed, ${skipped} skipped`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

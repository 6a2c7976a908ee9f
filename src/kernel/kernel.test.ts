import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { archOf } from "../abi/registers.js";
import { FormatError } from "../base/errors.js";
import { parseCpuList } from "./cpus.js";
import { findBinary } from "./find-binary.js";
import { listedFunctions } from "./kernel-functions.js";
import { checkPrivileges, missingCapabilities, PrivilegeError } from "./privileges.js";
import { readEventFormat, readEvents } from "./tracefs.js";
import { readUserFunctions, readUserSymbol } from "./user-functions.js";

test("CPU lists", () => {
  assert.deepEqual(parseCpuList("0-3,8\n"), [0, 1, 2, 3, 8]);
  assert.deepEqual(parseCpuList("0\n"), [0]);
  assert.deepEqual(parseCpuList("\n"), []);
  for (const bad of ["a", "1-", "-1", "1,,x", "1-99999999999"]) assert.throws(() => parseCpuList(bad), FormatError);
});

test("fuzz: CPU lists are numbers or a FormatError", () => {
  let seed = 7;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % n;
  };
  for (let i = 0; i < 2000; i++) {
    const text = Array.from({ length: random(12) }, () => "0123456789-,\n x"[random(15)]).join("");
    try {
      assert.ok(parseCpuList(text).every(Number.isInteger));
    } catch (error) {
      assert.ok(error instanceof FormatError, `${text}: ${error}`);
    }
  }
});

test("capabilities", () => {
  const status = (bits: bigint) => `Name:\tnode\nCapEff:\t${bits.toString(16).padStart(16, "0")}\nCapBnd:\t0\n`;
  assert.deepEqual(missingCapabilities(status(1n << 21n)), []);
  assert.deepEqual(missingCapabilities(status((1n << 38n) | (1n << 39n))), []);
  assert.deepEqual(missingCapabilities(status(1n << 39n)), ["CAP_PERFMON"]);
  assert.deepEqual(missingCapabilities(status(0n)), ["CAP_BPF", "CAP_PERFMON"]);
  assert.deepEqual(missingCapabilities(""), []);
  assert.throws(
    () => checkPrivileges(status(0n)),
    (error) => error instanceof PrivilegeError && error.missing.length === 2 && error.hint !== undefined,
  );
});

test("tracefs that cannot be read is said so; names do not lead out of it", () => {
  const events = readEvents("/nonexistent");
  assert.ok("missing" in events);
  for (const name of ["..", "../..", "a/b", ""]) assert.equal(readEventFormat("/sys", name, name), undefined);
});

const arch = archOf(process.arch) ?? "x86_64";
const debugPlaces = { folders: [], root: "/nonexistent" };

test("binaries are found by path, in PATH, and libraries by their name", () => {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-"));
  try {
    writeFileSync(join(folder, "tool"), "");
    const places = { path: `/nonexistent:${folder}`, cwd: folder };
    assert.equal(findBinary("tool", places), join(folder, "tool"));
    assert.equal(findBinary("./tool", places), join(folder, "tool"));
    assert.equal(findBinary(join(folder, "tool"), places), join(folder, "tool"));
    assert.equal(findBinary("no-tool", places), undefined);
    assert.equal(findBinary("libnothing_at_all", places), undefined);
    assert.ok("missing" in readUserFunctions(join(folder, "tool"), debugPlaces, arch));
    assert.ok("missing" in readUserFunctions(join(folder, "no-tool"), debugPlaces, arch));
    assert.ok("missing" in readUserFunctions("..", debugPlaces, arch));
    assert.ok("missing" in readUserSymbol("tool", "x", "main", places));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("functions and variables of a real program", () => {
  const places = { path: "", cwd: "/" };
  const own = readUserFunctions(process.execPath, debugPlaces, arch);
  assert.ok(!("missing" in own));
  const main = own.find("main");
  if (main !== undefined) {
    const symbol = readUserSymbol(process.execPath, "main", "main", places);
    assert.ok(!("missing" in symbol));
    assert.equal(symbol.address, main.address);
    assert.equal(symbol.probeAddress, main.address);
  }
  assert.ok("missing" in readUserSymbol(process.execPath, "no_such_symbol_", "main", places));
});

test("a list of traceable functions of the user's own", () => {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-functions-"));
  try {
    const file = join(folder, "list");
    writeFileSync(file, "vfs_read\nrpc_exit [sunrpc]\n");
    const listed = listedFunctions(file);
    assert.deepEqual([listed.names, listed.exclusive], [["rpc_exit", "vfs_read"], true]);
    assert.equal(listed.find("rpc_exit")[0]?.module, "sunrpc");
    assert.deepEqual(listedFunctions("/dev/null").names, []);
    assert.throws(() => listedFunctions(join(folder, "none")), /Could not read functions from .*none: ENOENT/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

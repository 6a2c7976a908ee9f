import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fixture } from "../../test/fixtures/path.js";
import { filesOfProgram, rootOf } from "./process-files.js";
import { expandGlob, findUserFiles } from "./user-files.js";

test("patterns of files, as a shell has them; programs and libraries, each once", () => {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-files-"));
  try {
    for (const name of ["a", "b", ".hidden"]) mkdirSync(join(folder, name));
    for (const name of ["a/one", "b/one", "b/two", ".hidden/one"])
      copyFileSync(fixture("elf", "tiny"), join(folder, name));
    symlinkSync("two", join(folder, "b/link"));
    writeFileSync(join(folder, "b/text"), "no program");
    copyFileSync(fixture("elf", "tiny"), join(folder, "b/data"));
    chmodSync(join(folder, "b/data"), 0o644);
    assert.deepEqual(expandGlob("*/on?", folder), ["a/one", "b/one"]);
    assert.deepEqual(expandGlob(`${folder}/.h*/*`, "/"), [`${folder}/.hidden/one`]);
    assert.deepEqual(expandGlob("nothing*/x", folder), []);
    const found = findUserFiles(`${folder}/b/*`, undefined);
    assert.ok(!("missing" in found));
    assert.deepEqual(
      found.map(({ shown }) => shown),
      [`${folder}/b/link`, `${folder}/b/one`],
    );
    assert.deepEqual(findUserFiles(`${folder}/c*`, undefined), {
      missing: `no program or library matches '${folder}/c*'`,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("files of this process, and of a program that does not run yet", () => {
  assert.equal(rootOf(process.pid), "");
  const own = findUserFiles("", { pid: process.pid });
  assert.deepEqual(own, [{ path: process.execPath, shown: process.execPath }]);
  const mapped = findUserFiles("*", { pid: process.pid });
  assert.ok(!("missing" in mapped) && mapped.some(({ path }) => path === process.execPath));
  const libc = findUserFiles("libc", { pid: process.pid });
  assert.ok(!("missing" in libc) && libc.length === 1);
  assert.ok(mapped.some(({ path }) => path === libc[0]!.path));
  const expected = filesOfProgram(process.execPath).map(({ path }) => path);
  assert.equal(expected[0], process.execPath);
  assert.ok(
    expected.some((path) => /\/libc\.so/.test(path)),
    String(expected),
  );
  assert.deepEqual(findUserFiles("", { pid: 1, becomes: "/bin/x" }), [{ path: "/bin/x", shown: "/bin/x" }]);
  assert.ok("missing" in findUserFiles("*", { pid: 2 ** 30 }));
  assert.ok("missing" in findUserFiles("", undefined));
  const none = (pid?: number) => JSON.stringify(findUserFiles("zz*", pid === undefined ? undefined : { pid }));
  assert.match(none(), /no program or library in PATH matches 'zz\*'; a pattern with a folder in front/);
  assert.match(none(process.pid), /no program or library of process \d+ matches/);
});

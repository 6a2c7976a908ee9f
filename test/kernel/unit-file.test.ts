// beetrace build and beetrace run: compiled scripts in files.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { run, sameEverywhere } from "../support/run.js";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-unit-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const scripts: Readonly<Record<string, string>> = {
  values: `begin { @n = 3; @t["a", (uint8)1] = (2, "x"); @h = hist(5); @h = hist(100); @l = lhist(7, 0, 10, 2);
    printf("%s %d\\n", "text", -5); print(@t); print((1, "y")); @s = stats(4); @a = avg(6); exit(); }
    end { printf("end\\n"); }`,
  records: `struct pair { int left; char right[4]; }
    begin { @p = sizeof(struct pair); print(curtask.comm); print(comm); exit(); }`,
};

for (const [name, text] of Object.entries(scripts)) {
  test(`${name}: what a file does is what its script does`, { skip: sameEverywhere }, async (t) => {
    const folder = folderOf(t);
    const script = join(folder, "script.bt");
    writeFileSync(script, text);
    const built = await run("build", script);
    assert.deepEqual([built.status, built.err], [0, ""]);
    assert.match(built.out, /script\.btu: \d+ attach points?\n$/);
    for (const format of ["text", "json"]) {
      const direct = await run("-q", "-f", format, script);
      for (const words of [["run"], []]) {
        const stored = await run("-q", "-f", format, ...words, join(folder, "script.btu"));
        assert.deepEqual(stored, direct);
      }
    }
  });
}

test("build takes a program, a name for the file, and no tasks; run takes what it finds", {
  skip: sameEverywhere,
}, async (t) => {
  const folder = folderOf(t);
  const file = join(folder, "x.btu");
  const built = await run("-q", "build", "-o", file, "-e", 'begin { printf("%d\\n", 7); exit(); }');
  assert.deepEqual([built.status, built.out, built.err], [0, "", ""]);
  assert.equal((await run("-q", "run", file)).out, "7\n\n\n");
  const shown = await run("run", "-d", "unit", "--dry-run", file);
  assert.match(shown.out, /^\/\/ unit: .*\n(.*\n)*record 0 \{kind: "printf"/);
  const wrong = async (...args: readonly string[]): Promise<string> => {
    const { status, err } = await run(...args);
    assert.equal(status, 1);
    return err;
  };
  assert.match(await wrong("build", "-p", "1", "-e", "begin {}"), /-p is no option of build/);
  assert.match(await wrong("run", "-p", "1", file), /compiled already: -p would have been for beetrace build/);
  assert.match(await wrong("run", file, "argument"), /compiled already: arguments of the script/);
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.subarray(0, 200));
  assert.match(await wrong("run", file), /is damaged.*\nHINT: beetrace build SCRIPT/);
  bytes[8] = 200;
  writeFileSync(file, bytes);
  assert.match(await wrong("run", file), /compiled by a newer beetrace/);
  assert.match(await wrong("--fmt", file), /is a compiled script/);
  assert.match(await wrong("run", join(folder, "none.btu")), /No such file/);
  copyFileSync("/bin/true", file);
  assert.match(await wrong("run", file), /is no script: it is not text/);
});

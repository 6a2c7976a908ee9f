import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openHeaders } from "./headers.js";

const directory = mkdtempSync(join(tmpdir(), "headers-"));
after(() => rmSync(directory, { recursive: true }));

function write(path: string, text: string): void {
  const whole = join(directory, path);
  mkdirSync(join(whole, ".."), { recursive: true });
  writeFileSync(whole, text);
}

write("one/a.h", "1");
write("two/a.h", "2");
write("two/sub/b.h", "b");
write("kernel/include/linux/only_here.h", "archive");
write("kernel/arch/x86/include/asm/only_here.h", "machine");

const directories = [join(directory, "one"), join(directory, "two")];
const places = { directories, release: "0.0-none", arch: "x86_64", archive: join(directory, "none") } as const;

test("-I in its order, then beside the file, then behind a directory", () => {
  const headers = openHeaders(places);
  assert.equal(headers.kernel, false);
  assert.equal(headers.find("a.h", false, "x")?.text, "1");
  assert.equal(headers.find("a.h", false, "x", directories[0])?.text, "2");
  assert.equal(headers.find("b.h", false, "x"), undefined);
  assert.equal(headers.find("b.h", true, join(directory, "two/sub/c.h"))?.text, "b");
  assert.equal(headers.find(join(directory, "two/a.h"), false, "x")?.text, "2");
  assert.equal(headers.find("sub", false, "x"), undefined);
});

const packed = spawnSync("tar", ["-cJf", join(directory, "kheaders.tar.xz"), "-C", join(directory, "kernel"), "."]);

test("what is nowhere else comes from the kernel's archive", {
  skip: packed.status !== 0 && "needs tar and xz",
}, () => {
  const headers = openHeaders({ ...places, archive: join(directory, "kheaders.tar.xz") });
  assert.equal(headers.find("a.h", false, "x")?.text, "1");
  const found = headers.find("linux/only_here.h", false, "x");
  assert.equal(found?.text, "archive");
  assert.equal(headers.find("asm/only_here.h", true, found?.name ?? "")?.text, "machine");
  assert.equal(headers.find("linux/nowhere.h", false, "x"), undefined);
});

test("an archive that is none has no headers", () => {
  write("broken.tar.xz", "no archive");
  const headers = openHeaders({ ...places, archive: join(directory, "broken.tar.xz") });
  assert.equal(headers.find("linux/only_here.h", false, "x"), undefined);
});

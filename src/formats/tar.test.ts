import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { FormatError } from "../base/errors.js";
import { parseTar } from "./tar.js";

interface Member {
  readonly name: string;
  readonly type?: string;
  readonly prefix?: string;
  readonly data?: string;
}

/** An archive as POSIX describes it (pax(1), "ustar Interchange Format"). */
function archive(members: readonly Member[]): Buffer {
  const parts = members.flatMap(({ name, type = "0", prefix = "", data = "" }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write(data.length.toString(8).padStart(11, "0"), 124);
    header.write(type, 156);
    header.write("ustar\0", 257);
    header.write(prefix, 345);
    const body = Buffer.alloc(Math.ceil(data.length / 512) * 512);
    body.write(data);
    return [header, body];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

const whole = archive([
  { name: "./include/", type: "5" },
  { name: "./include/a.h", data: "#define A 1\n" },
  { name: "b.h", prefix: "deep/er", data: "x".repeat(600) },
  { name: "././@LongLink", type: "L", data: `${"l".repeat(120)}.h\0` },
  { name: "l".repeat(100), data: "long" },
  { name: "pax", type: "x", data: "30 mtime=1\n16 path=from/pax.h\n" },
  { name: "short", data: "pax" },
  { name: "link", type: "2" },
]);

test("files by name, whatever says their name", () => {
  const found = [...parseTar(whole)].map(([name, { start, size }]) => [
    name,
    whole.toString("latin1", start, start + size),
  ]);
  assert.deepEqual(found, [
    ["include/a.h", "#define A 1\n"],
    ["deep/er/b.h", "x".repeat(600)],
    [`${"l".repeat(120)}.h`, "long"],
    ["from/pax.h", "pax"],
  ]);
});

test("an archive that is cut or damaged is a FormatError or shorter", () => {
  assert.throws(() => parseTar(whole.subarray(0, 1030)), FormatError);
  fuzz(whole, 600, (bytes) => {
    parseTar(bytes);
  });
});

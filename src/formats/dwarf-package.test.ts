import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { packageParts } from "./dwarf-package.js";

/** Two units in four slots; columns info, abbrev and one that nobody reads (locations). */
function index(version: number): Buffer {
  const words = (...values: readonly number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);
  const ids = Buffer.from(BigUint64Array.from([0n, 7n, 0n, 0xfeed_0000_0001n]).buffer);
  return Buffer.concat([
    words(version, 3, 2, 4),
    ids,
    words(0, 2, 0, 1),
    words(1, 3, 5),
    words(0, 0, 0, 100, 20, 4),
    words(100, 20, 4, 50, 30, 8),
  ]);
}

test("the parts of a unit in a package", () => {
  for (const version of [2, 5]) {
    const parts = packageParts(index(version), 7n, "index");
    assert.deepEqual(
      [...(parts ?? [])],
      [
        ["info", { offset: 100, size: 50 }],
        ["abbrev", { offset: 20, size: 30 }],
      ],
    );
    assert.equal(packageParts(index(version), 0xfeed_0000_0001n, "index")?.get("info")?.size, 100);
    assert.equal(packageParts(index(version), 8n, "index"), undefined);
    // The id of an empty slot.
    assert.equal(packageParts(index(version), 0n, "index"), undefined);
  }
});

test("damaged indexes give a value or a FormatError", () => {
  fuzz(index(5), 2000, (bytes) => packageParts(bytes, 7n, "index"));
});

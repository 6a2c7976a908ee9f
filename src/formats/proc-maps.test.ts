import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { FormatError } from "../base/errors.js";
import { mapAt, parseProcMaps } from "./proc-maps.js";

const text = `00400000-00b6f000 r-xp 00001000 fe:00 260689                             /usr/bin/node
7f0000000000-7f0000001000 rw-p 00000000 00:00 0 
7f0000002000-7f0000003000 r--s 00000000 fe:00 77                         /tmp/with space (deleted)
7f0000004000-7f0000005000 r--p 00000000 fe:00 78                         /tmp/a\\012b
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`;

test("lines of /proc/PID/maps", () => {
  const maps = parseProcMaps(text);
  assert.deepEqual(maps[0], {
    start: 0x400000n,
    end: 0xb6f000n,
    read: true,
    write: false,
    execute: true,
    shared: false,
    offset: 0x1000n,
    device: "fe:00",
    inode: 260689n,
    path: "/usr/bin/node",
    deleted: false,
  });
  assert.deepEqual(
    maps.map((map) => map.path),
    ["/usr/bin/node", undefined, "/tmp/with space", "/tmp/a\nb", "[stack]", "[vsyscall]"],
  );
  assert.deepEqual([maps[2]?.deleted, maps[2]?.shared], [true, true]);
});

test("the mapping of an address", () => {
  const maps = parseProcMaps(text);
  assert.equal(mapAt(maps, 0x400000n)?.path, "/usr/bin/node");
  assert.equal(mapAt(maps, 0xb6efffn)?.path, "/usr/bin/node");
  assert.equal(mapAt(maps, 0xb6f000n), undefined);
  assert.equal(mapAt(maps, 0xffffffffff600000n)?.path, "[vsyscall]");
  assert.equal(mapAt([], 0n), undefined);
});

test("broken text gives values or FormatErrors", () => {
  assert.throws(() => parseProcMaps("what\n"), FormatError);
  fuzz(Buffer.from(text), 2000, (bytes) => mapAt(parseProcMaps(bytes.toString("latin1")), 0x400001n));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../../test/fixtures/fuzz.js";
import { Simulation } from "../../../test/support/simulation.js";
import { parseAddress } from "./network.js";

function printed(action: string): readonly string[] {
  const simulation = new Simulation(`BEGIN { ${action} }`);
  simulation.fire();
  return simulation.said;
}

test("addresses as inet_pton(3) reads them", () => {
  assert.deepEqual(parseAddress("192.0.2.1"), [192, 0, 2, 1]);
  assert.deepEqual(parseAddress("::"), new Array(16).fill(0));
  assert.deepEqual(parseAddress("2001:db8::1"), [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  assert.deepEqual(parseAddress("::ffff:1.2.3.4"), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4]);
  assert.deepEqual(parseAddress("1:2:3:4:5:6:7:8")?.length, 16);
  const wrong = [
    "",
    "1.2.3",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.4.5",
    ":",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "12345::",
    "g::",
    "1:2:3:4:5:6:7::8",
  ];
  for (const text of wrong) assert.equal(parseAddress(text), undefined, text);
});

test("any text is an address of 4 or 16 bytes, or none", () => {
  for (const text of ["2001:db8::1", "::ffff:1.2.3.4", "10.0.0.1"]) {
    fuzz(Buffer.from(text), 300, (damaged) => {
      const bytes = parseAddress(damaged.toString("latin1"));
      assert.ok(bytes === undefined || bytes.length === 4 || bytes.length === 16, damaged.toString("latin1"));
      assert.ok(bytes?.every((byte) => byte >= 0 && byte <= 255) ?? true, damaged.toString("latin1"));
    });
  }
});

test("addresses and byte order in programs", () => {
  assert.deepEqual(
    printed('print(ntop(pton("192.0.2.1"))); print(ntop(pton("2001:db8::1"))); print(ntop(0x0100007f));'),
    ["192.0.2.1", "2001:db8::1", "127.0.0.1"],
  );
  assert.deepEqual(printed('print(macaddr(pton("1:2:3::")));'), ["00:01:00:02:00:03"]);
  const swaps =
    "$n = (uint64)0x1122334455667788; print(bswap($n) == 0x8877665544332211); print(bswap((uint32)$n)); print(bswap((int8)$n));";
  assert.deepEqual(printed(swaps), ["true", `${0x88776655}`, `${0x88}`]);
  assert.deepEqual(printed("print(bswap((uint16)0x1234)); print(bswap((int32)-2));"), [`${0x3412}`, "4278190079"]);
});

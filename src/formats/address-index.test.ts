import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNumbers } from "../../test/fixtures/fuzz.js";
import { AddressIndex } from "./address-index.js";
import { NameIndex } from "./name-index.js";

for (const count of [5000, 20_000])
  test(`sorts ${count} 64-bit addresses and keeps the order of equal ones`, () => {
    const random = randomNumbers(1);
    const addresses = Array.from(
      { length: count },
      () => (BigInt(random(3)) << 62n) | (BigInt(random(2 ** 31)) * BigInt(random(50))),
    );
    const index = new AddressIndex(
      Uint32Array.from(addresses, (address) => Number(address >> 32n)),
      Uint32Array.from(addresses, (address) => Number(address & 0xffffffffn)),
    );
    const sorted = addresses
      .map((address, i) => ({ address, i }))
      .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.i - b.i));
    assert.deepEqual(
      [...index.order],
      sorted.map(({ i }) => i),
    );
    for (let i = 0; i < count; i += 97) {
      const { address } = sorted[i]!;
      assert.equal(index.address(index.firstAt(index.floor(address))), address);
      if (address > 0n) assert.ok(index.floor(address - 1n) < i);
    }
    assert.equal(index.floor(-1n), count - 1);
    assert.equal(new AddressIndex(new Uint32Array(0), new Uint32Array(0)).floor(5n), -1);
  });

test("finds each name, all of those that share one, and nothing else", () => {
  const names = ["int", "in", "int", "print", "", "tail"];
  const starts: number[] = [];
  let text = "";
  for (const name of names) {
    starts.push(name === "" ? 0xffffffff : text.length);
    text += `${name}\0`;
  }
  const index = new NameIndex(Buffer.from(text.slice(0, -1)), starts, 0);
  assert.deepEqual([...index.find("int")], [0, 2]);
  assert.deepEqual([...index.find("in")], [1]);
  assert.deepEqual([...index.find("tail")], [5]);
  assert.deepEqual([...index.find("ta")], []);
  assert.deepEqual([...index.find("")], []);
  assert.deepEqual([...index.find("a\0b")], []);
});

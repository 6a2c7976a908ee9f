import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import {
  bytesIn,
  compareBytes,
  decodeBytes,
  encodeBytes,
  joinedBytes,
  pathOf,
  replaceBytes,
  sliceBytes,
} from "./byte-text.js";

const decoded: readonly (readonly [bytes: readonly number[], text: string])[] = [
  [[], ""],
  [[0x61, 0xc3, 0xa9], "aé"],
  [[0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80], "€😀"],
  // The mark of byte order, and U+FFFD itself, are characters like others.
  [[0xef, 0xbb, 0xbf, 0x61], "\ufeffa"],
  [[0xef, 0xbf, 0xbd, 0xff], "\ufffd\udcff"],
  [[0xff], "\udcff"],
  [[0x61, 0xfe, 0x62], "a\udcfeb"],
  // A character that is cut.
  [[0xe2, 0x82], "\udce2\udc82"],
  [[0xe2, 0x82, 0x61], "\udce2\udc82a"],
  // What looks like UTF-8 and is none: too long forms, surrogates, beyond U+10FFFF.
  [[0xc0, 0x80], "\udcc0\udc80"],
  [[0xe0, 0x80, 0x80], "\udce0\udc80\udc80"],
  [[0xed, 0xb3, 0xbf], "\udced\udcb3\udcbf"],
  [[0xf0, 0x80, 0x80, 0x80], "\udcf0\udc80\udc80\udc80"],
  [[0xf4, 0x90, 0x80, 0x80], "\udcf4\udc90\udc80\udc80"],
];

test("bytes become text and the same bytes again", () => {
  for (const [bytes, text] of decoded) {
    assert.equal(decodeBytes(Uint8Array.from(bytes)), text);
    assert.deepEqual([...encodeBytes(text)], bytes);
    assert.equal(bytesIn(text), bytes.length);
  }
});

test("any bytes are kept, and different ones are different texts", () => {
  const texts = new Map<string, string>();
  fuzz(Buffer.from("aé€😀\ufeff\ufffd\u07ff\ud7ff\ue000"), 20_000, (bytes) => {
    const text = decodeBytes(bytes);
    assert.deepEqual(encodeBytes(text), Buffer.from(bytes));
    const hex = bytes.toString("hex");
    assert.equal(texts.get(text) ?? hex, hex);
    texts.set(text, hex);
  });
});

test("surrogates that are no bytes leave as U+FFFD; pairs are characters", () => {
  assert.deepEqual([...encodeBytes("\ud800")], [0xef, 0xbf, 0xbd]);
  assert.deepEqual([...encodeBytes("\udc7f\udcff")], [0xef, 0xbf, 0xbd, 0xff]);
  assert.deepEqual([...encodeBytes("\ud83d\udcff\udcff")], [0xf0, 0x9f, 0x93, 0xbf, 0xff]);
});

test("bytes that come together are one character", () => {
  assert.equal(joinedBytes("\udce2\udc82\udcac"), "€");
  assert.equal(joinedBytes("\udce2\udc82"), "\udce2\udc82");
  assert.equal(joinedBytes("plain é"), "plain é");
});

test("slices, names and order go by bytes", () => {
  assert.equal(sliceBytes("aéb", 0, 2), "a\udcc3");
  assert.equal(sliceBytes("aéb", 2), "\udca9b");
  assert.equal(pathOf("/é"), "/é");
  assert.deepEqual(pathOf("/\udcff"), Buffer.from("/\xff", "latin1"));
  const order = ["", "a", "ab", "b", "é", "\uffff", "😀", "😀a", "\udcfe", "\udcff"];
  for (const [i, a] of order.entries())
    for (const [j, b] of order.entries()) assert.equal(Math.sign(compareBytes(a, b)), Math.sign(i - j), `${a} ${b}`);
  assert.equal(
    replaceBytes("a\udcff😀\udc80", (byte) => `<${byte}>`),
    "a<255>😀<128>",
  );
});

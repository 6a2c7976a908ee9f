import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { FormatError } from "../base/errors.js";
import { Kallsyms } from "./kallsyms.js";

const text = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T _text
ffffffff81000000 T _stext
ffffffff81000040 t helper
ffffffff82000000 D jiffies
ffffffff81000080 T vfs_read
ffffffffc0001000 t helper\t[nf_tables]
ffffffffc0002000 t bpf_prog_abc_x\t[bpf]
`;

test("addresses to symbols", () => {
  const symbols = Kallsyms.parse(Buffer.from(text));
  assert.equal(symbols.length, 8);
  assert.equal(symbols.hidden, false);
  assert.deepEqual(symbols.at(0xffffffff81000085n), {
    name: "vfs_read",
    address: 0xffffffff81000080n,
    type: "T",
    module: undefined,
  });
  assert.equal(symbols.at(0xffffffff81000000n)?.name, "_text");
  assert.equal(symbols.at(0xffffffff8100007fn)?.name, "helper");
  assert.equal(symbols.at(0xffffffff82000000n)?.name, "jiffies");
  assert.deepEqual(
    [symbols.at(0xffffffffc0001001n)?.name, symbols.at(0xffffffffc0001001n)?.module],
    ["helper", "nf_tables"],
  );
  assert.equal(symbols.at(5n)?.name, "fixed_percpu_data");
});

test("names to addresses", () => {
  const symbols = Kallsyms.parse(Buffer.from(text));
  assert.deepEqual(
    [...symbols.find("helper")].map(({ address, module }) => [address, module]),
    [
      [0xffffffff81000040n, undefined],
      [0xffffffffc0001000n, "nf_tables"],
    ],
  );
  assert.deepEqual([...symbols.find("vfs_rea")], []);
  assert.deepEqual([...symbols.find("vfs_readx")], []);
  assert.equal([...symbols.entries()].length, 8);
});

test("hidden addresses", () => {
  const symbols = Kallsyms.parse(Buffer.from("0000000000000000 T a\n0000000000000000 t b\n"));
  assert.equal(symbols.hidden, true);
  assert.equal(symbols.at(0xffffffff81000000n), undefined);
});

test("a last line without end, and what is no kallsyms", () => {
  assert.equal(Kallsyms.parse(Buffer.from("ffffffff81000000 T last")).at(0xffffffff81000001n)?.name, "last");
  assert.throws(() => Kallsyms.parse(Buffer.from("hello\n")), FormatError);
  assert.equal(Kallsyms.parse(Buffer.alloc(0)).length, 0);
});

test("broken text gives values or FormatErrors", () => {
  fuzz(Buffer.from(text), 2000, (bytes) => {
    const symbols = Kallsyms.parse(bytes);
    symbols.at(0xffffffff81000085n);
    [...symbols.find("helper")];
    [...symbols.entries()];
  });
});

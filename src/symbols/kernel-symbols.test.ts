import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelSymbols } from "./kernel-symbols.js";

const text = `0000000000001000 A some_percpu
ffffffff81000000 T _text
ffffffff81000080 T vfs_read
ffffffffa0001000 t nft_run\t[nf_tables]
`;

test("names of addresses and addresses of names", () => {
  const symbols = new KernelSymbols(() => Buffer.from(text));
  assert.deepEqual(symbols.resolve(0xffffffff81000090n), {
    kind: "symbol",
    name: "vfs_read",
    offset: 16n,
    module: undefined,
  });
  assert.deepEqual(symbols.resolve(0xffffffffa0001001n), {
    kind: "symbol",
    name: "nft_run",
    offset: 1n,
    module: "nf_tables",
  });
  assert.equal(symbols.address("vfs_read"), 0xffffffff81000080n);
  assert.equal(symbols.address("nothing"), undefined);
  assert.equal(symbols.hidden, false);
});

test("user addresses and holes have no name", () => {
  const symbols = new KernelSymbols(() => Buffer.from(text));
  assert.deepEqual(symbols.resolve(0x401000n), { kind: "unknown", reason: "unmapped", module: undefined });
  assert.equal(symbols.resolve(0xffffffff90000000n).kind, "unknown");
  assert.equal(symbols.resolve(0xffff800000000000n).kind, "unknown");
});

test("hidden addresses are said to be hidden", () => {
  const symbols = new KernelSymbols(() => Buffer.from("0000000000000000 T vfs_read\n"));
  assert.deepEqual(symbols.resolve(0xffffffff81000090n), { kind: "unknown", reason: "hidden", module: undefined });
  assert.equal(symbols.address("vfs_read"), undefined);
  assert.equal(symbols.hidden, true);
});

test("an unknown address makes it look again, once a second", () => {
  let now = 0;
  let reads = 0;
  const symbols = new KernelSymbols(
    () => {
      reads++;
      return Buffer.from(reads === 1 ? text : `${text}ffffffffc0000000 t bpf_prog_1\t[bpf]\n`);
    },
    () => now,
  );
  assert.equal(symbols.resolve(0xffffffffc0000004n).kind, "unknown");
  assert.equal(reads, 1);
  now = 1500;
  const found = symbols.resolve(0xffffffffc0000004n);
  assert.ok(found.kind === "symbol" && found.name === "bpf_prog_1");
  assert.equal(reads, 2);
});

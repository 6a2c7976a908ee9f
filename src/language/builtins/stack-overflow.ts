// Stacks for which the kernel's map of stacks has no room: it is a hash table without chains, in which the first stack of
// a bucket stays. lower/stack-room.ts says how many are kept.
import type { Value } from "../../ir/ir.js";
import { firstOverflowId, overflowLayout } from "../../wire/map-storage.js";
import type { Dest, Lowering } from "../lowering.js";

/** -EEXIST of BPF_NOEXIST: another processor was first. */
const alreadyThere = -17n;
const BPF_NOEXIST = 1;

/** uapi/linux/bpf.h. */
export const BPF_F_USER_STACK: bigint = 1n << 8n;
export const BPF_F_USER_BUILD_ID: bigint = 1n << 11n;

/** Odd, with many bits: 2^64 divided by the golden ratio. */
const multiplier = 0x9e3779b97f4a7c15n;

/**
 * Walks the stack once more and keeps it under a hash of its addresses in a map of its own; `id` becomes that key, or a
 * stack is counted as lost.
 */
export function keepElsewhere(l: Lowering, depth: number, flags: bigint, id: Dest): void {
  const { b } = l;
  const record = l.address(l.temporary(overflowLayout.frames + 8 * depth, "stack"));
  const frames = b.bin("add", record, b.const(overflowLayout.frames));
  const bytes = b.call("get_stack", [b.ctx(), frames, b.const(8 * depth), b.const(flags)]);
  const [kept, code] = [b.newVariable(), b.newVariable()];
  for (const variable of [kept, code]) b.write(variable, b.const(0));
  b.when("sgt", bytes, b.const(0), "then", () => {
    const count = b.bin("lshr", bytes, b.const(3));
    b.store(8, record, overflowLayout.count, count);
    const hash = b.bin("or", b.bin("lshr", hashOf(l, frames, count, depth), b.const(2)), b.const(firstOverflowId));
    const key = b.slotAddr(b.slot(8, 8, "stack hash"));
    b.store(8, key, 0, hash);
    const map = b.map(l.overflowMap(depth));
    l.ifPresent(
      b.call("map_lookup_elem", [map, key]),
      () => b.write(kept, hash),
      () => {
        const result = b.ext(4, true, b.call("map_update_elem", [map, key, record, b.const(BPF_NOEXIST)]));
        b.write(code, result);
        b.when("eq", result, b.const(0), "then", () => b.write(kept, hash));
        b.when("eq", result, b.const(alreadyThere), "else", () => b.write(kept, hash));
      },
    );
  });
  const found = b.read(kept);
  b.when("ne", found, b.const(0), "then", () => b.store(8, id.base, id.offset, found));
  b.when("eq", found, b.const(0), "else", () =>
    // Without an errno the second walk found no stack to keep.
    b.either(
      "eq",
      b.read(code),
      b.const(0),
      () => l.countLoss("stack-collision"),
      () => l.countLostElement("stack-collision", b.read(code)),
    ),
  );
}

/** A hash of the first `count` addresses, of at most `depth`. */
export function hashOf(l: Lowering, frames: Value, count: Value, depth: number): Value {
  const { b } = l;
  const [hash, index] = [b.newVariable(), b.newVariable()];
  b.write(hash, count);
  b.write(index, b.const(0));
  const [head, inside, more, done] = [b.newBlock(), b.newBlock(), b.newBlock(), b.newBlock()];
  b.jump(head);
  b.setBlock(head);
  const i = b.read(index);
  // The constant bound is what the verifier goes by.
  b.branch("ult", i, b.const(depth), inside, done);
  b.seal(inside);
  b.setBlock(inside);
  b.branch("ult", i, count, more, done);
  b.seal(more);
  b.setBlock(more);
  const address = b.load(8, false, b.bin("add", frames, b.bin("shl", i, b.const(3))), 0);
  const mixed = b.bin("mul", b.bin("xor", b.read(hash), address), b.const(multiplier));
  b.write(hash, b.bin("xor", mixed, b.bin("lshr", mixed, b.const(32))));
  b.write(index, b.bin("add", i, b.const(1)));
  b.jump(head);
  b.seal(head);
  b.seal(done);
  b.setBlock(done);
  return b.read(hash);
}

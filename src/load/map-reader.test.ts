import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSys } from "../../test/support/fake-sys.js";
import {
  BPF_MAP_DELETE_ELEM,
  BPF_MAP_GET_NEXT_KEY,
  BPF_MAP_LOOKUP_AND_DELETE_BATCH,
  BPF_MAP_LOOKUP_BATCH,
  BPF_MAP_LOOKUP_ELEM,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_UPDATE_ELEM,
} from "../abi/bpf.js";
import { E2BIG, ENOENT, ENOSPC, ENOTSUPP } from "../abi/errno.js";
import { Fd } from "../sys/fd.js";
import type { SysArg } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";
import type { LoadedMap } from "./loaded-object.js";
import { readMap, takeMap, zeroMap } from "./map-reader.js";

/** A hash map in the manner of kernel/bpf/hashtab.c: buckets are read whole, keys and values are one byte. */
class FakeMap {
  readonly buckets: number[][];
  readonly values = new Map<number, number>();
  batches = true;
  /** Runs before each bpf(2), as a program on another CPU would. */
  meanwhile = () => {};
  readonly sys = new FakeSys({ bpf: (...args) => this.bpf(args) });

  constructor(buckets: number[][]) {
    this.buckets = buckets;
    for (const key of buckets.flat()) this.values.set(key, key + 100);
  }

  get map(): LoadedMap {
    const spec = { name: "@", type: BPF_MAP_TYPE_HASH, keySize: 1, valueSize: 1, maxEntries: 1000, flags: 0 };
    return { spec, fd: Fd.own(this.sys, 5, "map @"), cpus: 0 };
  }

  remove(key: number): boolean {
    for (const bucket of this.buckets) if (bucket.includes(key)) bucket.splice(bucket.indexOf(key), 1);
    return this.values.delete(key);
  }

  private bpf([command, attr]: SysArg[]): number {
    this.meanwhile();
    assert.ok(typeof attr === "object");
    const view = new DataView(attr.bytes.buffer);
    const pointer = (at: number) => this.sys.at(view.getBigUint64(at, true));
    switch (command) {
      case BPF_MAP_LOOKUP_BATCH:
      case BPF_MAP_LOOKUP_AND_DELETE_BATCH:
        return this.batches ? this.batch(view, pointer, command === BPF_MAP_LOOKUP_AND_DELETE_BATCH) : -ENOTSUPP;
      case BPF_MAP_GET_NEXT_KEY: {
        const all = this.buckets.flat();
        const known = view.getBigUint64(8, true) === 0n ? -1 : all.indexOf(pointer(8)[0] ?? 0);
        const next = all[known + 1];
        if (next === undefined) return -ENOENT;
        pointer(16)[0] = next;
        return 0;
      }
      case BPF_MAP_LOOKUP_ELEM: {
        const value = this.values.get(pointer(8)[0] ?? 0);
        if (value === undefined) return -ENOENT;
        pointer(16)[0] = value;
        return 0;
      }
      case BPF_MAP_UPDATE_ELEM:
        if (!this.values.has(pointer(8)[0] ?? 0)) return -ENOENT;
        this.values.set(pointer(8)[0] ?? 0, pointer(16)[0] ?? 0);
        return 0;
      case BPF_MAP_DELETE_ELEM:
        return this.remove(pointer(8)[0] ?? 0) ? 0 : -ENOENT;
      default:
        return -E2BIG;
    }
  }

  private batch(view: DataView, pointer: (at: number) => Uint8Array, take: boolean): number {
    const room = view.getUint32(32, true);
    let bucket = view.getBigUint64(0, true) === 0n ? 0 : (pointer(0)[0] ?? 0);
    let count = 0;
    const keys = pointer(16);
    const values = pointer(24);
    for (; bucket < this.buckets.length; bucket++) {
      const content = [...(this.buckets[bucket] ?? [])];
      if (count + content.length > room) {
        if (count === 0) return -ENOSPC;
        break;
      }
      for (const key of content) {
        keys[count] = key;
        values[count++] = this.values.get(key) ?? 0;
        if (take) this.remove(key);
      }
    }
    view.setUint32(32, count, true);
    pointer(8)[0] = bucket;
    return bucket < this.buckets.length ? 0 : -ENOENT;
  }
}

const contents = (entries: ReturnType<typeof readMap>) =>
  entries.map(({ key, value }) => [key[0], value[0]]).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));

test("a map is read in batches; a bucket larger than the room for a batch makes the room grow", () => {
  const large = Array.from({ length: 100 }, (_, i) => i);
  const fake = new FakeMap([[100], large, [], [101, 102]]);
  const map = { ...fake.map, spec: { ...fake.map.spec, maxEntries: 16 } };
  assert.equal(readMap(fake.sys, map).length, 103);
  assert.ok(fake.sys.log.length > 3);
});

test("an empty map has no elements", () => {
  const fake = new FakeMap([[], []]);
  assert.deepEqual(readMap(fake.sys, fake.map), []);
  fake.batches = false;
  assert.deepEqual(readMap(fake.sys, fake.map), []);
});

test("without batches a map is read key by key", () => {
  const fake = new FakeMap([[1, 2], [3]]);
  fake.batches = false;
  const expected = [
    [1, 101],
    [2, 102],
    [3, 103],
  ];
  assert.deepEqual(contents(readMap(fake.sys, fake.map)), expected);
  assert.deepEqual(contents(takeMap(fake.sys, fake.map)), expected);
  assert.equal(fake.values.size, 0);
});

test("keys that vanish meanwhile make the kernel begin anew; nothing comes twice and it ends", () => {
  const fake = new FakeMap([Array.from({ length: 50 }, (_, i) => i)]);
  fake.batches = false;
  let calls = 0;
  fake.meanwhile = () => {
    // Every third call the key that was read last goes, and comes back at the end.
    if (++calls % 3 !== 0) return;
    const first = fake.buckets[0]?.[calls % 50];
    if (first === undefined) return;
    fake.remove(first);
    fake.buckets[0]?.push(first);
    fake.values.set(first, first + 100);
  };
  const entries = readMap(fake.sys, fake.map);
  assert.equal(new Set(entries.map(({ key }) => key[0])).size, entries.length);
  assert.ok(entries.length > 0);
});

test("taking empties the map and gives what was in it", () => {
  const fake = new FakeMap([[1], [2, 3]]);
  assert.equal(takeMap(fake.sys, fake.map).length, 3);
  assert.equal(fake.values.size, 0);
});

test("zeroing does not bring back a key that was deleted meanwhile", () => {
  const fake = new FakeMap([[1], [2]]);
  let calls = 0;
  fake.meanwhile = () => {
    if (++calls === 2) fake.remove(2);
  };
  zeroMap(fake.sys, fake.map);
  assert.deepEqual([...fake.values], [[1, 0]]);
});

test("another failure is thrown", () => {
  const fake = new FakeMap([]);
  const sys = new FakeSys({ bpf: () => -E2BIG });
  assert.throws(
    () => readMap(sys, fake.map),
    (error) => error instanceof SyscallError && error.code === "E2BIG",
  );
});

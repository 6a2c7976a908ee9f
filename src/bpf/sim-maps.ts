import {
  BPF_EXIST,
  BPF_F_RDONLY_PROG,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_CGROUP_ARRAY,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE_RINGBUF,
  BPF_MAP_TYPE_STACK_TRACE,
  BPF_NOEXIST,
} from "../abi/bpf.js";
import type { MapSpec } from "./object.js";
import { InterpreterError, type Region, type SimMemory } from "./sim-memory.js";

const ENOENT = 2n;
const E2BIG = 7n;
const EEXIST = 17n;
const EINVAL = 22n;
/** Bytes of a record's header in a ring buffer, BPF_RINGBUF_HDR_SZ. */
const ringHeader = 8;

/** What a program left in a map: the bytes of each CPU (one for maps that are not per CPU). */
export interface SimEntry {
  readonly key: Uint8Array;
  readonly values: readonly Uint8Array[];
}

/** A map as helpers use it. Addresses are of the simulated memory; 0 is none; errors are negative errno. */
export interface SimMap {
  readonly spec: MapSpec;
  lookup(key: Uint8Array, cpu: number): bigint;
  update(key: Uint8Array, value: Uint8Array, flags: bigint, cpu: number): bigint;
  delete(key: Uint8Array): bigint;
  entries(): readonly SimEntry[];
}

export function createSimMap(spec: MapSpec, memory: SimMemory, cpus: number): SimMap {
  switch (spec.type) {
    case BPF_MAP_TYPE_ARRAY:
    case BPF_MAP_TYPE_CGROUP_ARRAY:
      return new SimArray(spec, memory, 1);
    case BPF_MAP_TYPE_PERCPU_ARRAY:
      return new SimArray(spec, memory, cpus);
    case BPF_MAP_TYPE_HASH:
      return new SimHash(spec, memory, 1, false);
    case BPF_MAP_TYPE_LRU_HASH:
      return new SimHash(spec, memory, 1, true);
    case BPF_MAP_TYPE_PERCPU_HASH:
      return new SimHash(spec, memory, cpus, false);
    case BPF_MAP_TYPE_LRU_PERCPU_HASH:
      return new SimHash(spec, memory, cpus, true);
    case BPF_MAP_TYPE_RINGBUF:
      return new SimRing(spec, memory);
    case BPF_MAP_TYPE_STACK_TRACE:
      return new SimStacks(spec);
    default:
      throw new InterpreterError(`map ${spec.name}: type ${spec.type} is not simulated`);
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Elements of an array lie behind each other, each on 8 bytes (array_map_alloc(), v6.18 kernel/bpf/arraymap.c). */
export class SimArray implements SimMap {
  readonly spec: MapSpec;
  /** One for each CPU. */
  readonly regions: readonly Region[];
  private readonly stride: number;

  constructor(spec: MapSpec, memory: SimMemory, cpus: number) {
    this.spec = spec;
    this.stride = Math.ceil(spec.valueSize / 8) * 8;
    const writable = (spec.flags & BPF_F_RDONLY_PROG) === 0;
    this.regions = Array.from({ length: cpus }, () => {
      const bytes = new Uint8Array(this.stride * spec.maxEntries);
      if (spec.initial !== undefined) bytes.set(spec.initial);
      return memory.map(spec.name, "program", bytes, writable);
    });
  }

  private offsetOf(key: Uint8Array): number | undefined {
    const index = new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true);
    return index < this.spec.maxEntries ? index * this.stride : undefined;
  }

  lookup(key: Uint8Array, cpu: number): bigint {
    const offset = this.offsetOf(key);
    const region = this.regions[this.regions.length === 1 ? 0 : cpu];
    return offset === undefined || region === undefined ? 0n : region.start + BigInt(offset);
  }

  update(key: Uint8Array, value: Uint8Array, flags: bigint, cpu: number): bigint {
    const offset = this.offsetOf(key);
    if (offset === undefined) return -E2BIG;
    if (flags === BigInt(BPF_NOEXIST)) return -EEXIST;
    this.regions[this.regions.length === 1 ? 0 : cpu]?.bytes.set(value, offset);
    return 0n;
  }

  delete(): bigint {
    return -EINVAL;
  }

  entries(): readonly SimEntry[] {
    return Array.from({ length: this.spec.maxEntries }, (_, index) => {
      const key = new Uint8Array(4);
      new DataView(key.buffer).setUint32(0, index, true);
      const start = index * this.stride;
      return { key, values: this.regions.map((region) => region.bytes.slice(start, start + this.spec.valueSize)) };
    });
  }
}

interface HashEntry {
  readonly key: Uint8Array;
  readonly regions: readonly Region[];
}

export class SimHash implements SimMap {
  readonly spec: MapSpec;
  private readonly memory: SimMemory;
  private readonly cpus: number;
  private readonly lru: boolean;
  /** The errno that new elements are refused with, as when there is no memory; 0n if they are not. */
  refusal = 0n;
  /** In order of last use when `lru`. */
  private readonly table = new Map<string, HashEntry>();

  constructor(spec: MapSpec, memory: SimMemory, cpus: number, lru: boolean) {
    this.spec = spec;
    this.memory = memory;
    this.cpus = cpus;
    this.lru = lru;
  }

  lookup(key: Uint8Array, cpu: number): bigint {
    const name = hex(key);
    const entry = this.table.get(name);
    if (entry === undefined) return 0n;
    if (this.lru) {
      this.table.delete(name);
      this.table.set(name, entry);
    }
    return entry.regions[this.cpus === 1 ? 0 : cpu]?.start ?? 0n;
  }

  update(key: Uint8Array, value: Uint8Array, flags: bigint, cpu: number): bigint {
    const name = hex(key);
    let entry = this.table.get(name);
    if (entry !== undefined && flags === BigInt(BPF_NOEXIST)) return -EEXIST;
    if (entry === undefined) {
      if (flags === BigInt(BPF_EXIST)) return -ENOENT;
      if (this.refusal !== 0n) return -this.refusal;
      if (this.table.size >= this.spec.maxEntries) {
        const [oldest] = this.table.keys();
        if (!this.lru || oldest === undefined) return -E2BIG;
        this.remove(oldest);
      }
      const regions = Array.from({ length: this.cpus }, () =>
        this.memory.map(this.spec.name, "program", new Uint8Array(this.spec.valueSize)),
      );
      entry = { key: key.slice(), regions };
      this.table.set(name, entry);
    }
    entry.regions[this.cpus === 1 ? 0 : cpu]?.bytes.set(value);
    return 0n;
  }

  delete(key: Uint8Array): bigint {
    return this.remove(hex(key)) ? 0n : -ENOENT;
  }

  private remove(name: string): boolean {
    for (const region of this.table.get(name)?.regions ?? []) this.memory.unmap(region);
    return this.table.delete(name);
  }

  entries(): readonly SimEntry[] {
    return [...this.table.values()].map(({ key, regions }) => ({
      key: key.slice(),
      values: regions.map((region) => region.bytes.slice()),
    }));
  }
}

/** A ring buffer; {@link take} is its reader. */
/** A record, and where in all that was ever reserved it begins. */
export interface SimRecord {
  readonly start: bigint;
  readonly bytes: Uint8Array;
}

export class SimRing implements SimMap {
  readonly spec: MapSpec;
  private readonly memory: SimMemory;
  private readonly reserved = new Map<bigint, { readonly region: Region; readonly start: bigint }>();
  private records: SimRecord[] = [];
  private used = 0;
  /** Bytes that were reserved since the beginning. */
  position = 0n;

  constructor(spec: MapSpec, memory: SimMemory) {
    this.spec = spec;
    this.memory = memory;
  }

  private static cost(size: number): number {
    return Math.ceil((size + ringHeader) / 8) * 8;
  }

  /** The address of a record to fill, or 0 when the ring is full. */
  reserve(size: number): bigint {
    const cost = SimRing.cost(size);
    if (this.used + cost > this.spec.maxEntries) return 0n;
    this.used += cost;
    // The kernel does not clear it, so neither do we.
    const region = this.memory.map(this.spec.name, "program", new Uint8Array(size).fill(0xa5));
    this.reserved.set(region.start, { region, start: this.position });
    this.position += BigInt(cost);
    return region.start;
  }

  finish(address: bigint, submit: boolean): void {
    const { region, start = 0n } = this.reserved.get(address) ?? {};
    if (region === undefined) throw new InterpreterError(`${this.spec.name}: no record at 0x${address.toString(16)}`);
    this.reserved.delete(address);
    this.memory.unmap(region);
    if (submit) this.records.push({ start, bytes: region.bytes });
    else this.used -= SimRing.cost(region.bytes.length);
  }

  owns(address: bigint): boolean {
    return this.reserved.has(address);
  }

  /** Bytes of records that nobody has taken yet. */
  get waiting(): number {
    return this.used;
  }

  /** Records that are neither submitted nor discarded. */
  get open(): number {
    return this.reserved.size;
  }

  output(bytes: Uint8Array): bigint {
    const cost = SimRing.cost(bytes.length);
    if (this.used + cost > this.spec.maxEntries) return -11n; // EAGAIN
    this.used += cost;
    this.records.push({ start: this.position, bytes });
    this.position += BigInt(cost);
    return 0n;
  }

  /** Takes all records out, oldest first. */
  take(): SimRecord[] {
    const taken = this.records;
    this.records = [];
    for (const { bytes } of taken) this.used -= SimRing.cost(bytes.length);
    return taken;
  }

  lookup(): bigint {
    return 0n;
  }

  update(): bigint {
    return -EINVAL;
  }

  delete(): bigint {
    return -EINVAL;
  }

  entries(): readonly SimEntry[] {
    return [];
  }
}

/** Stacks by id; the id is a hash of the addresses. */
export class SimStacks implements SimMap {
  readonly spec: MapSpec;
  private readonly buckets = new Map<number, Uint8Array>();

  constructor(spec: MapSpec) {
    this.spec = spec;
  }

  /** bpf_get_stackid(): -EEXIST when another stack has the bucket and `reuse` is not set. */
  add(addresses: readonly bigint[], reuse: boolean): bigint {
    const value = new Uint8Array(this.spec.valueSize);
    const view = new DataView(value.buffer);
    let hash = 0n;
    addresses.slice(0, this.spec.valueSize / 8).forEach((address, i) => {
      view.setBigUint64(i * 8, BigInt.asUintN(64, address), true);
      hash = BigInt.asUintN(32, hash * 31n + address + (address >> 32n));
    });
    const id = Number(hash % BigInt(this.spec.maxEntries));
    const old = this.buckets.get(id);
    if (old !== undefined && hex(old) !== hex(value) && !reuse) return -EEXIST;
    this.buckets.set(id, value);
    return BigInt(id);
  }

  lookup(): bigint {
    return 0n;
  }

  update(): bigint {
    return -EINVAL;
  }

  delete(key: Uint8Array): bigint {
    return this.buckets.delete(new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true)) ? 0n : -ENOENT;
  }

  entries(): readonly SimEntry[] {
    return [...this.buckets].map(([id, value]) => {
      const key = new Uint8Array(4);
      new DataView(key.buffer).setUint32(0, id, true);
      return { key, values: [value.slice()] };
    });
  }
}

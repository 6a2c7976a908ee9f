import type { Variable } from "../ir/builder.js";
import type { BlockId, Value } from "../ir/ir.js";
import type { Dest, Place } from "../language/lowering.js";
import type { MapAccess, TypedExpr, TypedStatement } from "../language/typed.js";
import type { AggregateType, Type } from "../types/type.js";
import { aggregateLayout, isAggregate, isPlainTuple, layoutOf, residence, sizeOf } from "../wire/layout.js";
import { type MapStorage, storageOf, systemMaps } from "../wire/map-storage.js";
import { deleteChunked, withChunkedCell } from "./chunks.js";
import { lowerInto } from "./expressions.js";
import { countLostUpdate, resultOf } from "./failed-updates.js";
import { generationOf } from "./generations.js";
import { missingEntry, quietly, reportUpdate } from "./helper-errors.js";
import type { ProgramLowering } from "./program-lowering.js";

/** Flags of bpf_map_update_elem, uapi/linux/bpf.h. */
const BPF_ANY = 0n;
const BPF_NOEXIST = 1n;

/** The key of an access in memory, padding and what follows the end of texts zeroed: keys are compared byte by byte. */
export function keyOf(p: ProgramLowering, access: MapAccess): Value {
  const { b } = p;
  if (p.map(access.map).key === undefined) {
    const slot = b.slotAddr(b.slot(8, 8, "key"));
    const index = storage(p, access).generation ? generationOf(b, p.object.script, access.map) : b.const(0);
    b.store(8, slot, 0, index);
    return slot;
  }
  return p.address(keyIn(p, access, 0));
}

/** A key of several parts, or one, in memory of its size; at least of `room` bytes. */
function keyIn(p: ProgramLowering, access: MapAccess, room: number): Dest {
  const types = p.map(access.map).key ?? [];
  // An entry of the same layout, such as a text from another map, can be the key where it is.
  const layout = layoutOf(types);
  const { generation, keySize } = storage(p, access);
  const dest = p.temporary(Math.max(room, keySize), `key of ${access.map}`);
  if (generation) p.b.store(8, dest.base, dest.offset + layout.size, generationOf(p.b, p.object.script, access.map));
  const [only] = access.key;
  if (only !== undefined && isPlainTuple(only.type) && access.key.length === 1) {
    // A tuple as a whole is a key of several parts, which lie in memory as it does.
    lowerInto(p, only, dest, true, { kind: "tuple", items: types });
    return dest;
  }
  for (const [i, part] of access.key.entries()) {
    const type = types[i] ?? part.type;
    lowerInto(p, part, { base: dest.base, offset: dest.offset + (layout.offsets[i] ?? 0) }, true, type);
  }
  return dest;
}

const storage = (p: ProgramLowering, access: MapAccess): MapStorage => storageOf(p.map(access.map));

/** Calls `use` with the address of the value, if there is one. */
function withEntry(
  p: ProgramLowering,
  access: MapAccess,
  use: (value: Value) => void,
  missing?: (key: Value) => void,
): void {
  const { b } = p;
  const key = keyOf(p, access);
  const found = b.call("map_lookup_elem", [b.map(access.map), key]);
  p.ifPresent(
    found,
    () => use(found),
    () => missing?.(key),
  );
}

/** The value of a map without keys that is shared by all processors, and what says that it was set. */
interface ScalarPlace {
  readonly base: Value;
  readonly flag: () => Value;
}

/** By its address; of a map that the script empties, by a lookup of its generation, both at one time. */
function scalarPlace(p: ProgramLowering, access: MapAccess, of: MapStorage): ScalarPlace {
  const { b } = p;
  const flagOffset = of.flagOffset ?? 0;
  if (!of.generation)
    return { base: b.mapValue(access.map, of.valueOffset), flag: () => b.mapValue(access.map, flagOffset) };
  const found = b.call("map_lookup_elem", [b.map(access.map), keyOf(p, access)]);
  // An array has all of its elements: this only tells the verifier.
  const there = b.newBlock();
  b.branch("ne", found, b.const(0), there, p.exit, "then");
  b.seal(there);
  b.setBlock(there);
  return { base: found, flag: () => b.bin("add", found, b.const(flagOffset)) };
}

const setFlag = (p: ProgramLowering, place: ScalarPlace): void => p.b.store(8, place.flag(), 0, p.b.const(1));

/** The value of an entry that fits a register, 0 if there is none. */
export function readEntry(p: ProgramLowering, access: MapAccess): Value {
  const { b } = p;
  const of = storage(p, access);
  if (of.kind === "array") return b.load(8, false, scalarPlace(p, access, of).base, 0);
  return readAt(p, access, keyOf(p, access));
}

/** The same for a key in memory. */
function readAt(p: ProgramLowering, access: MapAccess, key: Value): Value {
  const { b } = p;
  const result = b.newVariable();
  const found = b.call("map_lookup_elem", [b.map(access.map), key]);
  p.ifPresent(
    found,
    () => b.write(result, b.load(8, false, found, 0)),
    () => {
      missingEntry(p, access.span);
      b.write(result, b.const(0));
    },
  );
  return b.read(result);
}

/** Where the value of an entry is; zeros if there is none. */
export function placeOfEntry(p: ProgramLowering, access: MapAccess, type: Type): Place {
  const { b } = p;
  const of = storage(p, access);
  if (of.kind === "array") return { base: scalarPlace(p, access, of).base, offset: 0, space: "bpf" };
  p.object.zeroSize = Math.max(p.object.zeroSize, sizeOf(type));
  const address = b.newVariable();
  withEntry(
    p,
    access,
    (value) => b.write(address, value),
    () => {
      missingEntry(p, access.span);
      b.write(address, b.mapValue(systemMaps.zero, 0));
    },
  );
  return { base: b.read(address), offset: 0, space: "bpf" };
}

/** Copies the value of an entry, zeros if there is none; answers the address of its key. */
export function copyEntry(p: ProgramLowering, access: MapAccess, dest: Dest): Value {
  const { b } = p;
  const of = storage(p, access);
  const size = sizeOf(p.map(access.map).value);
  const key = keyOf(p, access);
  if (of.kind === "array") {
    b.copy(dest.base, dest.offset, scalarPlace(p, access, of).base, 0, size);
    return key;
  }
  const value = b.call("map_lookup_elem", [b.map(access.map), key]);
  p.ifPresent(
    value,
    () => b.copy(dest.base, dest.offset, value, 0, size),
    () => {
      missingEntry(p, access.span);
      b.zero(dest.base, dest.offset, size);
    },
  );
  return key;
}

function updateEntry(p: ProgramLowering, access: MapAccess, key: Value, value: Value): void {
  const { b } = p;
  const code = resultOf(b, b.call("map_update_elem", [b.map(access.map), key, value, b.const(BPF_ANY)]));
  b.when("ne", code, b.const(0), "else", () => countLostUpdate(b, p.object, access.map, code));
}

export function assignEntry(p: ProgramLowering, access: MapAccess, type: Type, value: TypedExpr): void {
  const { b } = p;
  const of = storage(p, access);
  if (residence(type) === "register") {
    storeRegister(p, access, of, p.value(value));
    return;
  }
  if (of.kind === "array") {
    // What is assigned may read the map itself: the place is found behind it where it can change.
    const temporary = of.generation ? p.temporary(sizeOf(type), `value of ${access.map}`) : undefined;
    if (temporary !== undefined) lowerInto(p, value, temporary, true, type);
    const place = scalarPlace(p, access, of);
    if (temporary === undefined) lowerInto(p, value, { base: place.base, offset: 0 }, true, type);
    else b.copy(place.base, 0, temporary.base, temporary.offset, sizeOf(type));
    setFlag(p, place);
    return;
  }
  const temporary = p.temporary(sizeOf(type), `value of ${access.map}`);
  lowerInto(p, value, temporary, true, type);
  const key = keyOf(p, access);
  updateEntry(p, access, key, p.address(temporary));
}

function storeRegister(p: ProgramLowering, access: MapAccess, of: MapStorage, value: Value): void {
  const { b } = p;
  if (of.kind === "array") {
    const place = scalarPlace(p, access, of);
    b.store(8, place.base, 0, value);
    setFlag(p, place);
    return;
  }
  const slot = b.slotAddr(b.slot(8, 8, "value"));
  b.store(8, slot, 0, value);
  updateEntry(p, access, keyOf(p, access), slot);
}

/**
 * Adds to an entry and answers what it was before. Atomic: the entry is shared by all CPUs, and no update may be lost.
 * `wanted` false spares the fetching form of the instruction.
 */
export function addToEntry(p: ProgramLowering, access: MapAccess, delta: Value, wanted: boolean): Value {
  const { b } = p;
  const of = storage(p, access);
  const before = b.newVariable();
  const add = (address: Value): void => {
    if (wanted) b.write(before, b.atomicFetch("add", 8, address, 0, delta));
    else b.atomic("add", 8, address, 0, delta);
  };
  b.write(before, b.const(0));
  if (of.kind === "array") {
    const place = scalarPlace(p, access, of);
    add(place.base);
    setFlag(p, place);
    return b.read(before);
  }
  withEntry(p, access, add, (key) => {
    const slot = b.slotAddr(b.slot(8, 8, "value"));
    b.store(8, slot, 0, delta);
    quietly(b, () => {
      const code = resultOf(b, b.call("map_update_elem", [b.map(access.map), key, slot, b.const(BPF_NOEXIST)]));
      b.when("ne", code, b.const(0), undefined, () => {
        // Another CPU was first, or there is no room.
        const again = b.call("map_lookup_elem", [b.map(access.map), key]);
        p.ifPresent(
          again,
          () => add(again),
          () => lost(p, access.map, code),
        );
      });
    });
  });
  return b.read(before);
}

/** `@x |= n` and the like: read, compute, write. What makes the key is done once: it may have effects. */
export function modifyEntry(p: ProgramLowering, access: MapAccess, compute: (before: Value) => Value): void {
  const of = storage(p, access);
  if (of.kind === "array") {
    storeRegister(p, access, of, compute(readEntry(p, access)));
    return;
  }
  const { b } = p;
  const key = keyOf(p, access);
  const after = compute(readAt(p, access, key));
  const slot = b.slotAddr(b.slot(8, 8, "value"));
  b.store(8, slot, 0, after);
  updateEntry(p, access, key, slot);
}

/** An update that is told with -k, too. */
function lost(p: ProgramLowering, map: string, code: Value): void {
  countLostUpdate(p.b, p.object, map, code);
  reportUpdate(p, code);
}

/** Updates this CPU's part of an aggregate, which is made if the key is new. */
export function updateAggregate(
  p: ProgramLowering,
  { access, fn, type }: Extract<TypedStatement, { kind: "aggregate" }>,
  n: Value | undefined,
): void {
  const { chunks } = storage(p, access);
  const cell = chunks === undefined ? undefined : fn.cell?.(p, n, type);
  if (chunks === undefined || cell === undefined) withAggregate(p, access, type, (dest) => fn.update(p, dest, n, type));
  else withChunkedCell(p, { access, layout: chunks }, keyIn(p, access, chunks.keySize), cell);
}

/** This CPU's part of an aggregate, made if the key is new. */
function withAggregate(p: ProgramLowering, access: MapAccess, type: Type, use: (dest: Dest) => void): void {
  const { b } = p;
  const of = storage(p, access);
  if (of.kind === "array") {
    withEntry(p, access, (value) => {
      use({ base: value, offset: of.valueOffset });
      if (of.flagOffset !== undefined) b.store(8, value, of.flagOffset, b.const(1));
    });
    return;
  }
  p.object.zeroSize = Math.max(p.object.zeroSize, sizeOf(type));
  const address = b.newVariable();
  const create = b.newBlock();
  const found = b.newBlock();
  const full = b.newBlock();
  const done = b.newBlock();
  const lookUp = (key: Value, missing: BlockId): void => {
    const value = b.call("map_lookup_elem", [b.map(access.map), key]);
    b.write(address, value);
    b.branch("ne", value, b.const(0), found, missing, "then");
  };
  const key = keyOf(p, access);
  lookUp(key, create);
  b.seal(create);
  b.setBlock(create);
  // NOEXIST: if another CPU makes the entry meanwhile, its part of the value must stay.
  quietly(b, () => {
    const zero = b.mapValue(systemMaps.zero, 0);
    const code = resultOf(b, b.call("map_update_elem", [b.map(access.map), key, zero, b.const(BPF_NOEXIST)]));
    lookUp(key, full);
    b.seal(full);
    b.seal(found);
    b.setBlock(full);
    lost(p, access.map, code);
    b.jump(done);
  });
  b.setBlock(found);
  use({ base: b.read(address), offset: 0 });
  b.jump(done);
  b.seal(done);
  b.setBlock(done);
}

/** Adds up an aggregate's parts of all CPUs; bpf_map_lookup_percpu_elem, since Linux 5.19. */
export const totalOf = (p: ProgramLowering, access: MapAccess, type: AggregateType): Value =>
  totalAt(p, access.map, keyOf(p, access), type);

/** The same for a key in memory. */
export function totalAt(p: ProgramLowering, map: string, key: Value, type: AggregateType): Value {
  const { b } = p;
  const [total, count] = [b.newVariable(), b.newVariable()];
  for (const variable of [total, count]) b.write(variable, b.const(0));
  const add = (variable: typeof total, value: Value): void => b.write(variable, b.bin("add", b.read(variable), value));
  const part = (value: Value): void => {
    const at = (offset: number): Value => b.load(8, false, value, offset);
    if (type.kind === "count" || type.kind === "sum") add(total, at(aggregateLayout.count));
    else if (type.kind === "min" || type.kind === "max") takeExtreme(p, type, total, count, value);
    else {
      add(count, at(aggregateLayout.samples));
      add(total, at(aggregateLayout.total));
    }
  };
  b.loop(p.object.kernel.possibleCpus, (cpu, { next }) => {
    const found = b.call("map_lookup_percpu_elem", [b.map(map), key, cpu]);
    p.ifPresent(found, () => part(found));
    next();
  });
  if (type.kind !== "avg") return b.read(total);
  return b.bin(type.signed ? "sdiv" : "udiv", b.read(total), b.read(count));
}

/** One CPU's least or greatest value; `seen` says whether there was one before. */
function takeExtreme(p: ProgramLowering, type: AggregateType, best: Variable, seen: Variable, part: Value): void {
  const { b } = p;
  const isSet = b.newBlock();
  const compare = b.newBlock();
  const take = b.newBlock();
  const done = b.newBlock();
  b.branch("ne", b.load(8, false, part, aggregateLayout.extremeSet), b.const(0), isSet, done);
  b.seal(isSet);
  b.setBlock(isSet);
  const value = b.load(8, false, part, aggregateLayout.extreme);
  b.branch("eq", b.read(seen), b.const(0), take, compare);
  b.seal(compare);
  b.setBlock(compare);
  const signed = "signed" in type && type.signed;
  const better = type.kind === "min" ? (signed ? "slt" : "ult") : signed ? "sgt" : "ugt";
  b.branch(better, value, b.read(best), take, done);
  b.seal(take);
  b.setBlock(take);
  b.write(best, value);
  b.write(seen, b.const(1));
  b.jump(done);
  b.seal(done);
  b.setBlock(done);
}

/** 1 if the entry was there. */
export function deleteEntry(p: ProgramLowering, access: MapAccess): Value {
  const { b } = p;
  const of = storage(p, access);
  const deleted = b.newVariable();
  if (of.chunks !== undefined)
    return deleteChunked(p, { access, layout: of.chunks }, keyIn(p, access, of.chunks.keySize));
  if (of.kind === "hash") {
    const result = b.call("map_delete_elem", [b.map(access.map), keyOf(p, access)]);
    return b.cmp("eq", result, b.const(0));
  }
  if (of.perCpu) {
    // Only this CPU's part can be reached from here; clear() in user space empties them all.
    b.write(deleted, b.const(0));
    withEntry(p, access, (value) => {
      b.write(deleted, b.cmp("ne", b.load(8, false, value, of.flagOffset ?? 0), b.const(0)));
      b.zero(value, 0, of.valueSize);
    });
    return b.read(deleted);
  }
  const { base, flag } = scalarPlace(p, access, of);
  const was = b.cmp("ne", b.load(8, false, flag(), 0), b.const(0));
  b.zero(base, 0, of.valueSize);
  return was;
}

/** bpf_for_each_map_elem() answers how many entries it has seen. */
export function countEntries(p: ProgramLowering, map: string): Value {
  const { b } = p;
  const of = storageOf(p.map(map));
  if (!of.generation) {
    const name = p.subprogram("each", (each) => each.ret(each.const(0)));
    return b.call("for_each_map_elem", [b.map(map), b.funcRef(name), b.const(0), b.const(0)]);
  }
  const count = b.slotAddr(b.slot(16, 8, "entries"));
  b.store(8, count, 0, b.const(0));
  b.store(8, count, 8, generationOf(b, p.object.script, map));
  const name = p.subprogram("each", (each) => {
    const [elementKey, frame] = [1, 3];
    const shared = each.param(frame);
    const own = each.load(8, false, each.param(elementKey), of.keySize - 8);
    const same = each.cmp("eq", own, each.load(8, false, shared, 8));
    each.store(8, shared, 0, each.bin("add", each.load(8, false, shared, 0), same));
    each.ret(each.const(0));
  });
  b.call("for_each_map_elem", [b.map(map), b.funcRef(name), count, b.const(0)]);
  return b.load(8, false, count, 0);
}

/** Gives a variable the value of an entry; 1 if there is one. */
export function findEntry(p: ProgramLowering, access: MapAccess, variable: TypedExpr): Value {
  const { b } = p;
  const found = b.newVariable();
  const held = p.map(access.map).value;
  b.write(found, b.const(0));
  withEntry(p, access, (value) => {
    b.write(found, b.const(1));
    if (variable.kind !== "variable") return;
    if (isAggregate(held)) throw new Error("internal: an aggregate is no value of a variable");
    if (residence(held) === "register") {
      p.writeVariable(variable.name, b.load(8, false, value, 0));
      return;
    }
    const home = p.home(variable.name);
    const [size, room] = [sizeOf(held), sizeOf(variable.type)];
    b.copy(home.base, home.offset, value, 0, size);
    if (room > size) b.zero(home.base, home.offset + size, room - size);
  });
  return b.read(found);
}

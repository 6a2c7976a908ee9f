// Values in chunks (wire/chunks.ts): how programs find a cell, make it, and remove them all.

import type { BlockId, Value } from "../ir/ir.js";
import type { Dest } from "../language/lowering.js";
import type { Cell } from "../language/map-function.js";
import { timesSize } from "../language/map-functions/define.js";
import type { MapAccess } from "../language/typed.js";
import { type ChunkLayout, chunkMapName, keyWord, sharesCells, spareMapName, wholeSize } from "../wire/chunks.js";
import { systemMaps } from "../wire/map-storage.js";
import { countLostUpdate } from "./failed-updates.js";
import { quietly, reportUpdate } from "./helper-errors.js";
import type { ProgramLowering } from "./program-lowering.js";
import { entriesOf } from "./stack-room.js";

/** Flag of bpf_map_update_elem, uapi/linux/bpf.h. */
const BPF_NOEXIST = 1n;

export interface ChunkAccess {
  readonly access: MapAccess;
  readonly layout: ChunkLayout;
}

const isShared = (p: ProgramLowering, { access, layout }: ChunkAccess): boolean =>
  sharesCells(layout, entriesOf(p.map(access.map), p.config));

/**
 * Updates the cell of this processor; makes it if the key, the chunk or both are new. An existing cell costs one lookup. What
 * is new is there behind its key, and goes again if the key is gone by then: another processor has deleted it, which takes
 * the key first and then the cells, and would not have met this one.
 */
export function withChunkedCell(p: ProgramLowering, of: ChunkAccess, key: Dest, cell: Cell): void {
  const { b } = p;
  const { layout } = of;
  const { map } = of.access;
  const shared = isShared(p, of);
  p.object.zeroSize = Math.max(p.object.zeroSize, layout.chunkSize, shared ? wholeSize(layout) : keyWord.size);
  const chunks = chunkMapName(map);
  const address = p.address(key);
  const [at, code] = [b.newVariable(), b.newVariable()];
  const [found, lost, done] = [b.newBlock(), b.newBlock(), b.newBlock()];
  const lookUp = (where: string): Value => b.call("map_lookup_elem", [b.map(where), address]);
  // NOEXIST: what a program that has interrupted this one has made there must stay.
  const make = (where: string): Value =>
    b.call("map_update_elem", [b.map(where), address, b.mapValue(systemMaps.zero, 0), b.const(BPF_NOEXIST)]);
  /** Goes on where the pointer is not null, in a block that only this leads to. */
  const needs = (pointer: Value, otherwise: BlockId, likely?: "then"): void => {
    const next = b.newBlock();
    b.branch("ne", pointer, b.const(0), next, otherwise, likely);
    b.seal(next);
    b.setBlock(next);
  };
  const begin = (block: BlockId): void => {
    b.seal(block);
    b.setBlock(block);
  };
  const deleteAndLeave = (block: BlockId, where: string): void => {
    begin(block);
    b.call("map_delete_elem", [b.map(where), address]);
    b.jump(done);
  };

  const updateShared = (): void => {
    const whole = lookUp(map);
    needs(whole, done);
    // The comparison only tells the verifier what is true anyway.
    b.when("ult", cell.index, b.const(layout.cells), "then", () => {
      const base = b.bin("add", whole, timesSize(p, cell.index, layout.cellSize));
      cell.update({ base, offset: 0 }, "shared");
    });
    b.jump(done);
  };
  const findSpare = (): void => {
    const spare = spareMapName(map);
    const [hasSpare, newSpare, deleted] = [b.newBlock(), b.newBlock(), b.newBlock()];
    b.store(4, key.base, key.offset + layout.index, cell.index);
    const known = lookUp(spare);
    b.write(at, known);
    b.branch("ne", known, b.const(0), hasSpare, newSpare);
    begin(newSpare);
    make(spare);
    const added = lookUp(spare);
    // Why there is no chunk is why the update is lost.
    needs(added, lost);
    b.write(at, added);
    b.jump(hasSpare);
    begin(hasSpare);
    const word = lookUp(map);
    needs(word, deleted);
    b.store(8, word, keyWord.hasSpare, b.const(1));
    b.jump(found);
    deleteAndLeave(deleted, spare);
  };

  b.store(4, key.base, key.offset + layout.index, b.bin("lshr", cell.index, b.const(layout.shift)));
  b.store(4, key.base, key.offset + layout.cpu, b.call("get_smp_processor_id", []));
  const within = timesSize(p, b.bin("and", cell.index, b.const(2 ** layout.shift - 1)), layout.cellSize);
  const missing = b.newBlock();
  const chunk = lookUp(chunks);
  needs(chunk, missing, "then");
  b.write(at, b.bin("add", chunk, within));
  b.jump(found);

  begin(missing);
  quietly(b, () => {
    const [hasKey, newKey, noChunk, deleted] = [b.newBlock(), b.newBlock(), b.newBlock(), b.newBlock()];
    b.branch("ne", lookUp(map), b.const(0), hasKey, newKey);
    begin(newKey);
    b.write(code, make(map));
    needs(lookUp(map), lost);
    b.jump(hasKey);

    begin(hasKey);
    b.write(code, make(chunks));
    const made = lookUp(chunks);
    needs(made, noChunk);
    b.write(at, b.bin("add", made, within));
    needs(lookUp(map), deleted);
    b.jump(found);
    deleteAndLeave(deleted, chunks);

    begin(noChunk);
    if (shared) updateShared();
    else findSpare();

    begin(lost);
    countLostUpdate(b, p.object, map, b.read(code));
    reportUpdate(p, b.read(code));
    b.jump(done);
  });
  begin(found);
  cell.update({ base: b.read(at), offset: 0 });
  b.jump(done);
  begin(done);
}

/** Removes a key and its cells; 1 if it was there. */
export function deleteChunked(p: ProgramLowering, of: ChunkAccess, key: Dest): Value {
  const { b } = p;
  const { access, layout } = of;
  const shared = isShared(p, of);
  const address = p.address(key);
  const [deleted, spare, i] = [b.newVariable(), b.newVariable(), b.newVariable()];
  for (const variable of [deleted, spare, i]) b.write(variable, b.const(0));
  const word = b.call("map_lookup_elem", [b.map(access.map), address]);
  p.ifPresent(word, () => {
    if (!shared) b.write(spare, b.load(8, false, word, keyWord.hasSpare));
    b.write(deleted, b.cmp("eq", b.call("map_delete_elem", [b.map(access.map), address]), b.const(0)));
  });
  // Of a key that is not there, too, there may be a cell that another processor is about to add the key for.
  const cpus = p.object.kernel.possibleCpus;
  const [head, body, done] = [b.newBlock(), b.newBlock(), b.newBlock()];
  b.jump(head);
  b.setBlock(head);
  const at = b.read(i);
  b.branch("ult", at, b.const(layout.chunks * cpus), body, done);
  b.seal(body);
  b.setBlock(body);
  b.store(4, key.base, key.offset + layout.index, b.bin("udiv", at, b.const(cpus)));
  b.store(4, key.base, key.offset + layout.cpu, b.bin("umod", at, b.const(cpus)));
  b.call("map_delete_elem", [b.map(chunkMapName(access.map)), address]);
  b.write(i, b.bin("add", at, b.const(1)));
  b.jump(head);
  b.seal(head);
  b.seal(done);
  b.setBlock(done);
  if (!shared) b.when("ne", b.read(spare), b.const(0), "else", () => deleteSpare(p, access.map, layout, address));
  return b.read(deleted);
}

/** Few keys ever have spare cells: those of a key are found by looking at all. */
function deleteSpare(p: ProgramLowering, map: string, layout: ChunkLayout, address: Value): void {
  const { b } = p;
  const spare = spareMapName(map);
  const [elementKey, frame] = [1, 3];
  const shared = b.slotAddr(b.slot(8, 8, "deleted key"));
  b.store(8, shared, 0, address);
  const name = p.subprogram("spare", (each) => {
    const wanted = each.load(8, false, each.param(frame), 0);
    const key = each.param(elementKey);
    const other = each.newBlock();
    for (let offset = 0; offset < layout.index; offset += 8) {
      const same = each.newBlock();
      each.branch("eq", each.load(8, false, key, offset), each.load(8, false, wanted, offset), same, other);
      each.seal(same);
      each.setBlock(same);
    }
    each.call("map_delete_elem", [each.map(spare), key]);
    each.jump(other);
    each.seal(other);
    each.setBlock(other);
    each.ret(each.const(0));
  });
  b.call("for_each_map_elem", [b.map(spare), b.funcRef(name), shared, b.const(0)]);
}

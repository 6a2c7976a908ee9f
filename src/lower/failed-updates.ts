// Why a map took no update: each reason has its counter.

import type { FunctionBuilder } from "../ir/builder.js";
import type { Value } from "../ir/ir.js";
import type { LossCounter } from "../language/lowering.js";
import { systemMaps } from "../wire/map-storage.js";
import type { ObjectBuilder } from "./object-builder.js";

/** include/uapi/asm-generic/errno-base.h */
const E2BIG = 7n;
const ENOMEM = 12n;
/**
 * 0, or a negative errno as 32 bits: up to Linux 6.3 the map's function returns an int that nobody extends, so that only the
 * low half of the result counts.
 */
export const resultOf = (b: FunctionBuilder, result: Value): Value => b.ext(4, false, result);

/**
 * Adds one to the counter for what bpf_map_update_elem() has returned: -E2BIG if all elements are in use, -ENOMEM if none could
 * be allocated; all others (-EBUSY, -EDEADLK, -ETIMEDOUT, by version) are those of a bucket that is locked by what the
 * program has interrupted, or by another processor (htab_lock_bucket(), kernel/bpf/hashtab.c, 6.1 to 6.18).
 */
function count(
  b: FunctionBuilder,
  code: Value,
  of: { readonly full: number; readonly memory: number; readonly busy: number },
): void {
  const result = resultOf(b, code);
  const is = (errno: bigint): Value => b.cmp("eq", result, b.const(BigInt.asUintN(32, -errno)));
  const distance = (to: number, if_: Value): Value => b.bin("mul", if_, b.const(to - of.busy));
  const offset = b.bin("add", distance(of.full, is(E2BIG)), distance(of.memory, is(ENOMEM)));
  b.atomic("add", 8, b.bin("add", b.mapValue(systemMaps.loss, of.busy), offset), 0, b.const(1));
}

/** Counts an update that is lost. */
export const countLostUpdate = (b: FunctionBuilder, object: ObjectBuilder, map: string, code: Value): void =>
  count(b, code, {
    full: object.mapLossOffset(map, "map-full"),
    memory: object.mapLossOffset(map, "map-memory"),
    busy: object.mapLossOffset(map, "map-busy"),
  });

/** The same of a map that is not the script's; a full one has a counter of its own. */
export const countLostElement = (b: FunctionBuilder, object: ObjectBuilder, full: LossCounter, code: Value): void =>
  count(b, code, {
    full: object.lossOffset(full),
    memory: object.lossOffset("kept-memory"),
    busy: object.lossOffset("kept-busy"),
  });

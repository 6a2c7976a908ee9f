// Maps that a script empties while others add to them: their entries are of one of two generations. User space has programs begin the
// other one, waits until none works with the former, and then has that for itself: no update is lost between reading and emptying.

import type { FunctionBuilder } from "../ir/builder.js";
import type { Value } from "../ir/ir.js";
import type { TypedScript } from "../language/typed.js";
import { systemMaps } from "../wire/map-storage.js";

/** The generation that an access belongs to: asked once for each, because it may change at any time. */
export const generationOf = (b: FunctionBuilder, { maps }: TypedScript, map: string): Value =>
  b.load(8, false, b.mapValue(systemMaps.generations, 8 * [...maps.keys()].indexOf(map)), 0);

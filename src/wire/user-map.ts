import type { ShownType } from "../types/shown-type.js";
import type { AnyType } from "./layout.js";

/** What the declaration of a map asks for: `let @m = lruhash(100)`. */
export interface MapDeclaration {
  readonly lru: boolean;
  readonly perCpu: boolean;
  readonly maxEntries: number;
}

/** A map that its user sees, with the types of its keys and values. */
export interface UserMap<T extends AnyType = ShownType> {
  /** With the `@`. */
  readonly name: string;
  /** One type a part; undefined for a scalar map. */
  readonly key: readonly T[] | undefined;
  readonly value: T;
  /**
   * The script empties it (clear(), zero()): entries belong to a generation, so that what was counted until then is apart from
   * what comes after (lower/generations.ts).
   */
  readonly emptied?: boolean | undefined;
  readonly declared?: MapDeclaration | undefined;
}

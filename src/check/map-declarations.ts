import type { Diagnostics } from "../base/diagnostics.js";
import type { TypedMap } from "../language/typed.js";
import type { AstMapDeclaration } from "../syntax/ast.js";
import { isAggregate } from "../wire/layout.js";
import type { MapDeclaration } from "../wire/user-map.js";

/** Kinds of map that a script can ask for, by the names that bpftrace gives them. */
const kinds: ReadonlyMap<string, { readonly lru: boolean; readonly perCpu: boolean }> = new Map([
  ["hash", { lru: false, perCpu: false }],
  ["lruhash", { lru: true, perCpu: false }],
  ["percpuhash", { lru: false, perCpu: true }],
  ["percpulruhash", { lru: true, perCpu: true }],
]);

/** max_entries of struct bpf_map is 32 bits wide. */
const mostEntries = 0xffff_ffffn;

/** Gives maps what their declarations say; reports those that do not fit the map's use. */
export function declareMaps(
  declarations: readonly AstMapDeclaration[],
  maps: ReadonlyMap<string, TypedMap>,
  diags: Diagnostics,
): ReadonlyMap<string, TypedMap> {
  if (declarations.length === 0) return maps;
  const declared = new Map(maps);
  const seen = new Map<string, AstMapDeclaration>();
  for (const declaration of declarations) {
    const { name, span } = declaration;
    const earlier = seen.get(name);
    if (earlier !== undefined) {
      diags.error("twice", span, `${name} is declared already`, {
        notes: [{ message: "it is declared here", span: earlier.span }],
      });
      continue;
    }
    seen.set(name, declaration);
    const kind = kinds.get(declaration.type);
    if (kind === undefined) {
      diags.error("unknown-map-type", declaration.typeSpan, `Invalid bpf map type: ${declaration.type}`, {
        hint: `Valid map types: ${[...kinds.keys()].join(", ")}`,
      });
      continue;
    }
    if (declaration.maxEntries < 1n || declaration.maxEntries > mostEntries) {
      diags.error("bad-map-size", declaration.entriesSpan, `a map holds 1 to ${mostEntries} keys`);
      continue;
    }
    const map = maps.get(name);
    if (map === undefined) {
      diags.warning("unused-map", span, `Unused map: ${name}`, { hint: "nothing is ever stored in it" });
      continue;
    }
    const needsPerCpu = isAggregate(map.value);
    if (kind.perCpu !== needsPerCpu) {
      const [lruName, plain] = needsPerCpu ? ["percpulruhash", "percpuhash"] : ["lruhash", "hash"];
      const message = `Incompatible map types. Type from declaration: ${declaration.type}. Type from value/key type: ${plain}`;
      diags.error("map-type-mismatch", map.span, message, {
        notes: [{ message: `${name} is declared here`, span }],
        hint: `declare it so: let ${name} = ${kind.lru ? lruName : plain}(${declaration.maxEntries});`,
      });
      continue;
    }
    const storage: MapDeclaration = { ...kind, maxEntries: Number(declaration.maxEntries) };
    declared.set(name, { ...map, declared: storage });
  }
  return declared;
}

import type { Diagnostics } from "../base/diagnostics.js";
import type { Span } from "../base/span.js";
import { describeType } from "../language/describe-type.js";
import type { TypedMap, TypedVariable } from "../language/typed.js";
import type { Type } from "../types/type.js";
import { commonInt, holds, type Inferred, join, ofClock, sameInferred } from "./type-rules.js";

interface MapEntry {
  key: readonly Inferred[] | undefined;
  keyed: boolean | undefined;
  value: Inferred | undefined;
  span: Span;
}

/**
 * What is known of the types of maps and variables so far. Checking runs over the whole script until nothing is added:
 * a map may be read above the place where it is written.
 */
export class Environment {
  private readonly maps = new Map<string, MapEntry>();
  private readonly variables = new Map<string, Inferred>();
  /** By program, name and place: the same in every round. */
  private readonly ids = new Map<string, string>();
  private readonly idCounts = new Map<string, number>();
  private readonly typeIds = new Map<string, number>();
  private readonly hoistedNames = new Map<string, Map<string, Span>>();
  private readonly fixed = new Set<string>();
  /** The script asks for the number of frames of a stack. */
  stackLengths = false;
  /** Something was learnt since the last {@link startRound}. */
  changed = false;

  startRound(): void {
    this.changed = false;
  }

  mapNames(): readonly string[] {
    return [...this.maps.keys()];
  }

  /** The map as known by now; its value is undefined if nothing has been stored into it yet. */
  map(name: string): { readonly key: readonly Type[] | undefined; readonly value: Type | undefined } | undefined {
    const entry = this.maps.get(name);
    return entry === undefined ? undefined : { key: entry.key?.map((k) => k.type), value: entry.value?.type };
  }

  private entry(name: string, span: Span): MapEntry {
    let entry = this.maps.get(name);
    if (entry === undefined) {
      entry = { key: undefined, keyed: undefined, value: undefined, span };
      this.maps.set(name, entry);
      this.changed = true;
    }
    return entry;
  }

  /** Records that a map is used with this key; reports one that does not fit. */
  useKey(name: string, key: readonly Inferred[], span: Span, diags: Diagnostics): void {
    const entry = this.entry(name, span);
    const keyed = key.length > 0;
    if (entry.keyed === undefined) {
      entry.keyed = keyed;
      entry.key = keyed ? key : undefined;
      this.changed = true;
      return;
    }
    if (entry.keyed !== keyed) {
      diags.error(
        "key-mismatch",
        span,
        keyed ? `${name} is used without a key elsewhere, here with one` : `${name} needs a key: it has one elsewhere`,
        {
          notes: [{ message: `${name} is first used here`, span: entry.span }],
        },
      );
      return;
    }
    const known = entry.key ?? [];
    const joined = known.length === key.length ? known.map((k, i) => joinAt(k, key[i])) : [];
    if (known.length !== key.length || joined.some((k) => k === undefined)) {
      const types = (list: readonly Inferred[]): string =>
        list.length === 1 && list[0] !== undefined
          ? describeType(list[0].type)
          : `(${list.map((k) => describeType(k.type)).join(",")})`;
      diags.error(
        "key-mismatch",
        span,
        `Argument mismatch for ${name}: trying to access with arguments: '${types(key)}' when map expects arguments: '${types(known)}'`,
        {
          notes: [{ message: `${name} is first used here`, span: entry.span }],
        },
      );
      return;
    }
    const merged = joined.filter((k) => k !== undefined);
    if (merged.some((k, i) => changedFrom(known[i], k))) {
      entry.key = merged;
      this.changed = true;
    }
  }

  /** Records that a value of this type is stored into a map; reports one that does not fit. */
  store(name: string, value: Inferred, span: Span, diags: Diagnostics): void {
    const entry = this.entry(name, span);
    const joined = entry.value === undefined ? value : join(entry.value, value);
    if (joined === undefined) {
      diags.error(
        "type-mismatch",
        span,
        `${name} holds ${describeType(entry.value?.type ?? value.type)}, it cannot hold ${describeType(value.type)} too`,
        {
          notes: [{ message: `${name} is first used here`, span: entry.span }],
          hint: "use another map for the other kind of value",
        },
      );
      return;
    }
    if (changedFrom(entry.value, joined)) {
      entry.value = joined;
      this.changed = true;
    }
  }

  variableId(prefix: string, name: string, span: Span): string {
    const place = `${prefix}${name} ${span.source.name} ${span.start}`;
    let id = this.ids.get(place);
    if (id === undefined) {
      const count = (this.idCounts.get(prefix + name) ?? 0) + 1;
      this.idCounts.set(prefix + name, count);
      id = count === 1 ? name : `${name}#${count}`;
      this.ids.set(place, id);
    }
    return id;
  }

  /**
   * Up to bpftrace 0.21 a variable was known behind the block that assigned it, and tools of that time use that: such names
   * belong to the whole action.
   */
  hoist(prefix: string, name: string, span: Span): void {
    const names = this.hoistedNames.get(prefix) ?? new Map<string, Span>();
    if (names.has(name)) return;
    names.set(name, span);
    this.hoistedNames.set(prefix, names);
    this.changed = true;
  }

  hoisted(prefix: string): ReadonlyMap<string, Span> {
    return this.hoistedNames.get(prefix) ?? new Map();
  }

  /** A number for a type, the same for the same type of one script. */
  typeId(text: string): number {
    const known = this.typeIds.get(text) ?? this.typeIds.size + 1;
    this.typeIds.set(text, known);
    return known;
  }

  /** Gives a variable the type that the script says; what is assigned is converted to it. */
  declare(key: string, type: Type): void {
    this.fixed.add(key);
    const known = this.variables.get(key)?.type;
    // The clock of what was assigned is not for the script to declare.
    const clocked = type.kind === "int" && known?.kind === "int" ? ofClock(type, known.clock) : type;
    if (changedFrom(this.variables.get(key), { type: clocked, flexible: false })) {
      this.variables.set(key, { type: clocked, flexible: false });
      this.changed = true;
    }
  }

  isFixed(key: string): boolean {
    return this.fixed.has(key);
  }

  variable(key: string): Type | undefined {
    return this.variables.get(key)?.type;
  }

  assign(key: string, name: string, value: Inferred, span: Span, diags: Diagnostics): void {
    const known = this.variables.get(key);
    const joined = known === undefined ? value : this.fixed.has(key) ? intoFixed(known, value) : join(known, value);
    if (joined === undefined) {
      diags.error(
        "type-mismatch",
        span,
        `${name} is ${describeType(known?.type ?? value.type)}, it cannot become ${describeType(value.type)}`,
        { hint: this.fixed.has(key) ? "cast the value, or declare another type" : "use another variable" },
      );
      return;
    }
    if (changedFrom(known, joined)) {
      this.variables.set(key, joined);
      this.changed = true;
    }
  }

  /** Maps with all that is known; what was never stored into has been reported. */
  finishedMaps(): ReadonlyMap<string, TypedMap> {
    const finished = new Map<string, TypedMap>();
    for (const [name, entry] of this.maps) {
      if (entry.value === undefined) continue;
      finished.set(name, { name, key: entry.key?.map((k) => k.type), value: entry.value.type, span: entry.span });
    }
    return finished;
  }

  finishedVariables(prefix: string): ReadonlyMap<string, TypedVariable> {
    const finished = new Map<string, TypedVariable>();
    for (const [key, inferred] of this.variables) {
      if (key.startsWith(prefix))
        finished.set(key.slice(prefix.length), { name: key.slice(prefix.length), type: inferred.type });
    }
    return finished;
  }
}

/** A declared type stays; literals must fit, other integers are converted. */
function intoFixed(known: Inferred, value: Inferred): Inferred | undefined {
  if (known.type.kind === "int" && value.type.kind === "int") {
    if (value.literal !== undefined && !holds(known.type, value.literal)) return undefined;
    return { ...known, type: ofClock(known.type, commonInt(known.type, value.type).clock) };
  }
  const joined = join(known, value);
  return joined === undefined ? undefined : known;
}

const joinAt = (known: Inferred, used: Inferred | undefined): Inferred | undefined =>
  used === undefined ? undefined : join(known, used);

const changedFrom = (before: Inferred | undefined, after: Inferred): boolean =>
  before === undefined || !sameInferred(before, after);

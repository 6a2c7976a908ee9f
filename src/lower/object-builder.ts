import type { Machine } from "../abi/registers.js";
import type { Config } from "../language/config.js";
import type { KernelView } from "../language/kernel-view.js";
import type { LossCounter } from "../language/lowering.js";
import type { TaskFilter } from "../language/task-filter.js";
import type { TypedMap, TypedProgram, TypedScript } from "../language/typed.js";
import {
  firstLossSlot,
  lossCounters,
  type MapLoss,
  mapLosses,
  overflowMapName,
  stackMapName,
} from "../wire/map-storage.js";
import type { RecordSpec } from "../wire/record.js";
import { unwoundMapName } from "../wire/unwind.js";
import { mayDeferStacks } from "./deferred-stacks.js";

/** What the programs of one script share. */
export class ObjectBuilder {
  readonly script: TypedScript;
  readonly machine: Machine;
  readonly config: Config;
  readonly kernel: KernelView;
  readonly records: RecordSpec[] = [];
  readonly texts: string[] = [];
  /** Stack maps by name. */
  readonly stackMaps = new Map<string, { readonly depth: number; readonly buildIds: boolean }>();
  /** Programs unwind stacks by tables. */
  unwinds = false;
  /** See {@link mayDeferStacks}. */
  readonly defersStacks: boolean;
  /** Records with the memory of stacks are sent. */
  pendingStacks = false;
  /** Depths of those that are kept in maps. */
  readonly unwoundDepths = new Set<number>();
  /** Of stacks that may be kept outside of the stack maps. */
  readonly overflowDepths = new Set<number>();
  /** Bytes of scratch memory, by program index. */
  readonly scratchSizes = new Map<number, number>();
  /** Programs with large scratch memory: their places among those, by program index. */
  readonly largeScratch = new Map<number, number>();
  /** Ids by system call number, by program index; 0 is none, else id + 1. */
  readonly syscallTables = new Map<number, Uint32Array>();
  /** Constant bytes that builtins look things up in, by name. */
  readonly tables = new Map<string, Uint8Array>();
  zeroSize = 8;
  usesStart = false;
  /** Programs wait for room in the rings: see lower/waiting.ts. */
  waits = false;
  /** Records have frames of stacks in them. */
  stacksTravel = false;
  userAddresses = false;

  /** Programs tell when a helper fails. */
  readonly checkHelpers: boolean;

  /** Tasks that the script is limited to from outside. */
  readonly filter: TaskFilter;

  constructor(
    script: TypedScript,
    machine: Machine,
    config: Config,
    kernel: KernelView,
    { checkHelpers, filter }: { readonly checkHelpers: boolean; readonly filter: TaskFilter },
  ) {
    this.checkHelpers = checkHelpers;
    this.filter = filter;
    this.script = script;
    this.machine = machine;
    this.config = config;
    this.kernel = kernel;
    this.defersStacks = mayDeferStacks(script);
  }

  /** What is to be added to the cookie to have the attach point's id: the link of a session has the ids of its entries. */
  fromEntry({ targets: [first], inSessionOf }: TypedProgram): number {
    const entry = inSessionOf === undefined ? undefined : this.script.programs[inSessionOf]?.targets[0];
    if (first === undefined || entry === undefined) return 0;
    const { targets } = this.script;
    return targets.indexOf(first) - targets.indexOf(entry);
  }

  map(name: string): TypedMap {
    const map = this.script.maps.get(name);
    if (map === undefined) throw new Error(`internal: no map ${name}`);
    return map;
  }

  addTable(name: string, make: () => Uint8Array): void {
    if (!this.tables.has(name)) this.tables.set(name, make());
  }

  addRecord(record: RecordSpec): number {
    this.records.push(record);
    return this.records.length - 1;
  }

  text(value: string): number {
    const found = this.texts.indexOf(value);
    if (found >= 0) return found;
    this.texts.push(value);
    return this.texts.length - 1;
  }

  stackMap(depth: number, buildIds: boolean): string {
    const name = stackMapName(depth, buildIds);
    this.stackMaps.set(name, { depth, buildIds });
    return name;
  }

  overflowMap(depth: number): string {
    this.overflowDepths.add(depth);
    return overflowMapName(depth);
  }

  unwoundMap(depth: number): string {
    this.unwoundDepths.add(depth);
    return unwoundMapName(depth);
  }

  /** Bytes from the start of the loss map's value. */
  lossOffset(counter: LossCounter): number {
    return 8 * (firstLossSlot + lossCounters.indexOf(counter));
  }

  mapLossOffset(name: string, reason: MapLoss): number {
    const map = [...this.script.maps.keys()].indexOf(name);
    return 8 * (firstLossSlot + lossCounters.length + mapLosses.length * map + mapLosses.indexOf(reason));
  }

  /** Takes back what a lowering that is done again has added. */
  mark(): () => void {
    const [records, texts] = [this.records.length, this.texts.length];
    return () => {
      this.records.length = records;
      this.texts.length = texts;
    };
  }
}

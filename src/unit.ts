// The product of compilation, whoever compiled: plain data, and all that the tracer and the loader take.

import type { BpfObject } from "./bpf/object.js";
import type { Config } from "./language/config.js";
import type { AttachedVariant, AttachPoint } from "./language/probe.js";
import type { UserStacks } from "./language/user-stacks.js";
import type { RecordSpec } from "./wire/record.js";
import type { UserMap } from "./wire/user-map.js";

/** A program of {@link BpfObject} that is attached to attach points, or run by user space. */
export interface UnitProgram {
  readonly name: string;
  readonly variant: AttachedVariant;
  /** Its attach points, by their ids. */
  readonly attachPoints: readonly number[];
  /** It is a part of another program, which serves the entries of the same places and is attached for both. */
  readonly isInSession: boolean;
}

/** A program that keeps maps of processes, and the event of tracefs that it belongs on. */
export interface Tracker {
  readonly program: string;
  readonly category: string;
  readonly event: string;
  /** Of its record in tracefs; undefined of a raw tracepoint. */
  readonly id: number | undefined;
}

export interface Unit {
  readonly object: BpfObject;
  readonly programs: readonly UnitProgram[];
  /** All of them; the index of one is its id, which programs know as their cookie. */
  readonly attachPoints: readonly AttachPoint[];
  /** Maps of the script, by their names with the `@`. */
  readonly maps: ReadonlyMap<string, UserMap>;
  /** Of the rings: the index of one is the number in its header. */
  readonly records: readonly RecordSpec[];
  /** Texts that programs know by their index. */
  readonly texts: readonly string[];
  readonly config: Config;
  /** Addresses of processes will have to be named. */
  readonly userAddresses: boolean;
  /** How ustack takes stacks; undefined if the script has none. */
  readonly userStacks: UserStacks | undefined;
  /** Programs unwind stacks by tables. */
  readonly unwinds: boolean;
  /** Programs that keep the maps of processes, of the tree or with unwinding tables. */
  readonly trackers: readonly Tracker[];
}

// The records of the rings, as data: what is in them, and what user space does with one. events/record-handlers.ts does it.

import type { Span } from "../base/span.js";
import type { ShownType } from "../types/shown-type.js";
import { align8 } from "./layout.js";

/** Bytes of the record's number at its start, its index in the list of {@link RecordSpec}. */
export const recordHeader = 8;

/** A value in a record; the offset is from the record's first byte. */
export interface RecordField {
  readonly type: ShownType;
  readonly offset: number;
}

/** `clear`: no entry is left; `zero`: keys stay. */
export type Emptying = "clear" | "zero";

/** Which entries of a map are printed, and what their values are divided by. */
export interface MapLimits {
  readonly top: number | undefined;
  readonly div: bigint | undefined;
}

/** A format of printf() and the values for its conversions. */
interface Formatted {
  readonly format: string;
  readonly fields: readonly RecordField[];
}

/** What user space does with a text that it makes of such values. */
export type Message =
  /** Prints it. */
  | { readonly kind: "printf" }
  /** Prints it behind the place of the call. */
  | { readonly kind: "errorf" | "warnf"; readonly span: Span }
  /** Runs it as a command of the shell, and prints what that says. */
  | { readonly kind: "system" }
  /** Prints the file that it names. */
  | { readonly kind: "cat" };

/** Records by what user space does with them. */
export type RecordData =
  | (Message & Formatted)
  /** Prints a value. */
  | { readonly kind: "value"; readonly field: RecordField }
  /** Prints an entry of a map: its value, or, of an aggregate, what user space reads from the map by the bytes of the key. */
  | {
      readonly kind: "entry";
      readonly map: string;
      readonly key: readonly RecordField[];
      readonly keySize: number;
      readonly value: RecordField | undefined;
    }
  /** Prints a map; `empties`: and empties it, so that no update is lost between the two. */
  | { readonly kind: "map"; readonly map: string; readonly limits: MapLimits; readonly empties: Emptying | undefined }
  | { readonly kind: "empty"; readonly map: string; readonly how: Emptying }
  /** Ends the trace; the status is the lowest byte of the field, 0 without one. */
  | { readonly kind: "exit"; readonly status: RecordField | undefined }
  /** Prints the time of day in a format of strftime(3). */
  | { readonly kind: "time"; readonly format: string }
  /** {@link joinLayout}. */
  | { readonly kind: "join"; readonly separator: string }
  /** {@link packetLayout}: adds a packet, without so many bytes at its start, to a pcap file. */
  | { readonly kind: "packet"; readonly path: string; readonly skip: number }
  /** Something went wrong in a program, at a place of the script. */
  | { readonly kind: "runtime-error"; readonly message: string; readonly span: Span }
  /** An i64 follows the header: what a helper of the kernel answered. */
  | { readonly kind: "helper-error"; readonly helper: string; readonly span: Span }
  /** A stack was cut for want of a file's table of unwinding. */
  | { readonly kind: "tables-wanted" }
  /** The same, with what its callers can be found by: wire/unwind.ts, pendingLayout, of stacks of `depth` frames. */
  | { readonly kind: "pending-stack"; readonly depth: number };

/** When a record is handled, and in which ring it travels. */
export interface RecordMode {
  /** Also handled behind an exit() in an iterator that is still being read: bpftrace has the kernel print that. */
  readonly outlivesExit?: boolean;
  /**
   * It has user space act rather than print: it has a ring of its own (`systemMaps.control`), so that data never take its room.
   * Its record tells in the second half of the header where the ring of data stood, see events/record-stream.ts.
   */
  readonly isControl?: boolean;
  /**
   * A control record without data. Where even its ring is full the wish is noted in a map (`systemMaps.wishes`) and fulfilled
   * behind what is in the ring: several of them become one.
   */
  readonly mayWait?: boolean;
  /** Handled behind any exit(): what maps have counted by then is printed with it. */
  readonly alwaysDone?: boolean;
}

/** A record without its size. */
export type RecordInit = RecordData & RecordMode;

/** A record of the rings. Its size is that of the whole record; at most, where frames of stacks stand at its end. */
export type RecordSpec = RecordInit & { readonly size: number };

export type RecordKind = RecordData["kind"];

/** Elements that join() prints at most, and bytes of each: bpftrace's figures. Of each there is one byte more, which tells that it is longer. */
const joinSize = 1024;
const joinRoom = align8(joinSize + 1);

/** Behind the header: u64 number of elements, one more than `most` if there are more; then `room` bytes for each, of which text takes `size`. */
export const joinLayout = { count: 0, elements: 8, most: 16, size: joinSize, room: joinRoom } as const;

/** Behind the header: `{ u64 nanoseconds of the monotonic clock; u32 kept; u32 length of the packet }`, then the bytes. */
export const packetLayout = { time: 0, kept: 8, length: 12, bytes: 16 } as const;

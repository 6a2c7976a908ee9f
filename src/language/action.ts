import type { Resolver } from "../wire/decode.js";
import type { TraceEvent } from "../wire/event.js";
import type { MapSnapshot, Value } from "../wire/value.js";

/** What the user half of a builtin may do. */
export interface Host extends Resolver {
  emit(event: TraceEvent): void;
  /** Reads a map now and emits it; the promise, of a large one, settles then. */
  printMap(map: string, limits: Pick<MapSnapshot, "top" | "div">): Promise<void> | undefined;
  /** The value of one entry, by the bytes of its key; undefined if there is none. */
  entry(map: string, key: Uint8Array): Value | undefined;
  clearMap(map: string): void;
  zeroMap(map: string): void;
  /** Ends the trace after the events before this one. */
  exit(code: number): void;
  /** strftime(3) of the current moment. */
  formatNow(format: string): string;
  /** Runs a shell command and emits what it prints; nothing else is handled until it has ended. */
  runCommand(command: string): Promise<void>;
  /** Emits the beginning of a file, which may take as long as {@link runCommand}: a pipe, a terminal. */
  readFile(path: string): Promise<void>;
  /** A stack was cut for want of a file's table of unwinding. */
  wantTables(): void;
  /** The same, with what its callers can be found by: wire/unwind.ts, pendingLayout, of stacks of `depth` frames. */
  pendingStack(view: DataView, at: number, depth: number): void;
  /** Adds a packet to a pcap file; the time is that of the monotonic clock. */
  writePacket(path: string, nanoseconds: bigint, bytes: Uint8Array, originalLength: number): void;
}

/** A record of the ring that user space acts on: 8 bytes of action index, then data. */
export interface Action {
  readonly name: string;
  /** Of the whole record; at most, where frames of stacks stand at its end. */
  readonly size: number;
  /** Also done behind an exit() in an iterator that is still being read: bpftrace has the kernel print that. */
  readonly outlivesExit?: boolean;
  /**
   * What has user space act rather than print: it has a ring of its own (`systemMaps.control`), so that data never take its room.
   * Its record tells in the second half of the header where the ring of data stood, see events/record-stream.ts.
   */
  readonly isControl?: boolean;
  /**
   * A control action without data. Where even its ring is full the wish is noted in a map (`systemMaps.wishes`) and fulfilled
   * behind what is in the ring: several of them become one.
   */
  readonly mayWait?: boolean;
  /** Done behind any exit(): what maps have counted by then is printed with it. */
  readonly alwaysDone?: boolean;
  /** `offset` is that of the record's first byte. What it answers is waited for before the next record is handled. */
  run(host: Host, view: DataView, offset: number): Promise<void> | void;
}

/** Bytes of the action index at the start of a record. */
export const recordHeader = 8;

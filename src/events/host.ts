import type { Resolver } from "../wire/decode.js";
import type { TraceEvent } from "../wire/event.js";
import type { Emptying, MapLimits } from "../wire/record.js";
import type { Value } from "../wire/value.js";

/** What handlers of records may do. */
export interface Host extends Resolver {
  emit(event: TraceEvent): void;
  /** Reads a map now and emits it; the promise, of a large one, settles then. */
  printMap(map: string, limits: MapLimits): Promise<void> | undefined;
  /** The same, and empties it: each update is either in what is emitted or in the map behind. */
  takeMap(map: string, limits: MapLimits, how: Emptying): Promise<void>;
  /** The value of one entry, by the bytes of its key; undefined if there is none. */
  entry(map: string, key: Uint8Array): Value | undefined;
  emptyMap(map: string, how: Emptying): Promise<void>;
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

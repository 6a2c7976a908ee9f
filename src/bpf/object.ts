import type { ProgType } from "../abi/program-type.js";
import type { Span } from "../base/span.js";

/** What the kernel is asked for when a map is created; inert, made by the compiler. */
export interface MapSpec {
  /** Unique in the object; the kernel sees its first 15 allowed characters. */
  readonly name: string;
  /** BPF_MAP_TYPE_*. */
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  /** BPF_F_*. */
  readonly flags: number;
  /** What the elements of a map of maps are; those of arrays may have any number of entries. */
  readonly inner?: {
    readonly type: number;
    readonly keySize: number;
    readonly valueSize: number;
    readonly flags: number;
  };
  /** Bytes of element 0 of an array, written before the programs are loaded. */
  readonly initial?: Uint8Array | undefined;
  /** Frozen after `initial` is written: the verifier may then treat its contents as constants. */
  readonly frozen?: boolean;
}

export type Relocation =
  /** The 16-byte load at `insn` gets the map's fd (BPF_PSEUDO_MAP_FD). */
  | { readonly insn: number; readonly kind: "map"; readonly map: string }
  /** The 16-byte load at `insn` becomes the address of `offset` in the map's value (BPF_PSEUDO_MAP_VALUE). */
  | { readonly insn: number; readonly kind: "mapvalue"; readonly map: string; readonly offset: number }
  /** The 16-byte load at `insn` gets the attach cookie as a constant, when the loader chose that. */
  | { readonly insn: number; readonly kind: "cookie" };

/** Where a function begins in the code, by 8-byte instruction, and how many arguments it takes. */
export interface CodeFunction {
  readonly name: string;
  readonly insn: number;
  readonly params: number;
  /** Of a function that the verifier looks at by itself: bytes that each argument points to, 0 of a number. */
  readonly pointsTo?: readonly number[] | undefined;
}

/** One BPF program with the subprograms it calls appended; inert. */
export interface ProgramSpec {
  readonly name: string;
  readonly type: ProgType;
  /** BPF_TRACE_*, BPF_PERF_EVENT...; 0 where the type needs none. */
  readonly expectedAttachType: number;
  /** For type tracing: the BTF name that the program attaches to (`btf_trace_sys_enter`, a function's name). */
  readonly attachBtf?: { readonly name: string; readonly kind: "func" | "typedef" } | undefined;
  /** Loaded once for each function that it is attached to, instead of by `attachBtf`. */
  readonly loadedForEach?: boolean;
  /** Encoded instructions of 8 bytes each. */
  readonly code: Uint8Array;
  readonly relocations: readonly Relocation[];
  /** The functions in the code, the program first; more than one if it has callbacks. */
  readonly functions: readonly CodeFunction[];
  /** Script place of each instruction (by 8-byte index), for verifier messages. */
  readonly spans: readonly (Span | undefined)[];
}

/** Maps and programs, ready to be loaded, the same bytes for the same script; nothing of the machine in it but BTF offsets. */
export interface BpfObject {
  /** What the programs are loaded with; helpers marked gpl_only want one that include/linux/license.h lists. */
  readonly license?: string;
  readonly maps: readonly MapSpec[];
  readonly programs: readonly ProgramSpec[];
}

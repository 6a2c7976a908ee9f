/** A frame of a stack, already resolved, innermost first. */
export interface Frame {
  readonly address: bigint;
  /** Undefined when there is no name; `reason` then says why. */
  readonly symbol: string | undefined;
  readonly offset: bigint;
  /** Object file or kernel module; undefined if unknown. */
  readonly module: string | undefined;
  readonly reason?: string;
  /** `file:line`, where debugging information tells. */
  readonly source?: string;
  /** Functions that the compiler has put into this one, innermost first. */
  readonly inlined?: readonly { readonly symbol: string; readonly source?: string }[];
}

/** The text that frames were shown as last, and in which form: made once for as long as the same stack comes. */
export interface ShownStack {
  form?: string;
  text?: string;
}

/** A decoded value of the language: what a printf argument, a map key or a map value is in user space. */
export type Value =
  /** What the language has no type for: a floating point member of a structure. */
  | { readonly kind: "none" }
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "bool"; readonly value: boolean }
  /** `name` is undefined for a number that the enum does not have. */
  | { readonly kind: "enum"; readonly value: bigint; readonly name: string | undefined }
  | { readonly kind: "pointer"; readonly value: bigint }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "buffer"; readonly bytes: Uint8Array }
  | { readonly kind: "tuple"; readonly items: readonly Value[] }
  | { readonly kind: "array"; readonly items: readonly Value[] }
  | { readonly kind: "record"; readonly fields: readonly { readonly name: string; readonly value: Value }[] }
  | {
      readonly kind: "stack";
      readonly user: boolean;
      readonly mode: "bpftrace" | "perf" | "raw" | "build_id";
      readonly frames: readonly Frame[];
      /** Of the frames, where these are named each time they are asked for. */
      readonly addresses?: BigUint64Array | undefined;
      /** Why there are no frames. */
      readonly missing?: string;
      /** Of a stack that comes again and again. */
      readonly shown?: ShownStack | undefined;
    }
  /** ksym, usym, username, probe, func, inet, timestamp: shown as text. `unnamed`: why that is an address only. */
  | { readonly kind: "symbol"; readonly value: string; readonly unnamed?: string }
  | { readonly kind: "count" | "sum" | "min" | "max"; readonly value: bigint }
  | { readonly kind: "avg" | "stats"; readonly count: bigint; readonly total: bigint; readonly average: bigint }
  /** Bucket counts by index as the kernel program numbers them (see output/histogram.ts); missing ones are 0. */
  | { readonly kind: "hist"; readonly bits: number; readonly buckets: ReadonlyMap<number, bigint> }
  | {
      readonly kind: "lhist";
      readonly min: bigint;
      readonly max: bigint;
      readonly step: bigint;
      readonly buckets: ReadonlyMap<number, bigint>;
    }
  /** Values by the number of their interval (nanoseconds) since 1970. */
  | {
      readonly kind: "tseries";
      readonly interval: bigint;
      readonly intervals: number;
      readonly signed: boolean;
      readonly points: ReadonlyMap<bigint, bigint>;
    };

/** A map as it was read at one moment. */
export interface MapSnapshot {
  /** With the `@`. */
  readonly name: string;
  /** False for a scalar map (`@x`), which has one entry with an empty key. */
  readonly keyed: boolean;
  /** A key of several parts has several values; unordered. */
  readonly entries: readonly { readonly key: readonly Value[]; readonly value: Value }[];
  /** print(@x, top, div). */
  readonly top?: number | undefined;
  readonly div?: bigint | undefined;
}

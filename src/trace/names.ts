import type { CodePlace, SourcePlace } from "../formats/dwarf-places.js";
import type { PerfRecord } from "../formats/perf-records.js";
import { debugRoot } from "../kernel/debug-info.js";
import type { Config } from "../language/config.js";
import type { AttachPoint } from "../language/probe.js";
import type { LoadedObject } from "../load/loaded-object.js";
import { readValue } from "../load/map-reader.js";
import { KernelSymbols } from "../symbols/kernel-symbols.js";
import { type MissingName, type Symbolized, unknown } from "../symbols/symbolized.js";
import { type Lookup, UserSymbols } from "../symbols/user-symbols.js";
import type { Sys } from "../sys/sys.js";
import type { Clock, StackType } from "../types/type.js";
import type { ResolvedStack, Resolver, SymbolText } from "../wire/decode.js";
import { buildIdFrame, firstOverflowId, overflowMapName, stackMapName } from "../wire/map-storage.js";
import { unwoundLayout, unwoundMapName } from "../wire/unwind.js";
import type { Frame, ShownStack } from "../wire/value.js";
import { cgroupPaths } from "./cgroups.js";
import { readPasswd } from "./passwd.js";
import type { PendingStacks } from "./pending-stacks.js";
import { RecentStacks } from "./recent-stacks.js";
import { WallTime } from "./wall-time.js";

export interface NamesOptions {
  /** Directories with debugging information of programs, searched first. */
  readonly debugFolders: readonly string[];
  /** What the kernel tells of processes, see UserSymbolsOptions. */
  readonly records: (() => readonly PerfRecord[]) | undefined;
  /** Frames of stacks get their names when they are looked at. */
  readonly whenShown: boolean;
  /** When the values that are being decoded were recorded at the earliest, in nanoseconds of the monotonic clock. */
  readonly since: () => bigint;
  /** Stacks that programs have not unwound to their end. */
  readonly pending?: PendingStacks | undefined;
}

/** Text for the numbers that a trace's programs send: symbols, users, probes, times. Reads what it needs when asked first. */
export class Names implements Resolver, Disposable {
  private readonly sys: Sys;
  private readonly loaded: LoadedObject;
  private readonly targets: readonly AttachPoint[];
  private readonly texts: readonly string[];
  private readonly kernel = new KernelSymbols();
  readonly users: UserSymbols;
  private readonly since: () => bigint;
  private readonly pending: PendingStacks | undefined;
  private readonly whenShown: boolean;
  /** The stack that was named last: who looks at it once more gets the same. */
  private shown: { readonly late: LateStack; readonly frames: readonly Frame[] } | undefined;
  private readonly recent = new RecentStacks<MissingName>();
  private readonly addresses = new AddressPool();
  private readonly reasons = new Map<MissingName, number>();
  private readonly showsCode: boolean;
  private readonly codes = new WeakMap<CodePlace, ShownCode>();
  readonly cut: Resolver["cut"];
  private userNames: ReadonlyMap<string, string> | undefined;
  readonly time: WallTime;

  constructor(
    sys: Sys,
    loaded: LoadedObject,
    targets: readonly AttachPoint[],
    texts: readonly string[],
    config: Config,
    { debugFolders, records, whenShown, since, pending }: NamesOptions,
  ) {
    this.sys = sys;
    this.time = new WallTime(sys);
    this.loaded = loaded;
    this.targets = targets;
    this.texts = texts;
    this.users = new UserSymbols({
      demangle: config.cpp_demangle,
      debug: { folders: debugFolders, root: debugRoot },
      records,
    });
    this.since = since;
    this.pending = pending;
    this.whenShown = whenShown;
    this.showsCode = config.show_debug_info;
    this.cut = { length: config.max_strlen, trailer: config.str_trunc_trailer };
  }

  [Symbol.dispose](): void {
    this.users[Symbol.dispose]();
  }

  /** How many addresses were shown without a name, by the reason. */
  get unnamed(): ReadonlyMap<MissingName, number> {
    return this.reasons;
  }

  kernelSymbol(address: bigint): SymbolText {
    return symbolText(this.counted(this.kernel.resolve(address)), address);
  }

  userSymbol(pid: number, address: bigint): SymbolText {
    return symbolText(this.counted(this.users.resolve(pid, address, { since: this.since() })), address);
  }

  private frame(address: bigint, found: Symbolized): Frame {
    if (found.kind === "unknown")
      return { address, symbol: undefined, offset: 0n, module: found.module, reason: found.reason };
    const { name, offset, module, code } = found;
    if (code === undefined) return { address, symbol: name, offset, module };
    // Answers are kept, and come again.
    let shown = this.codes.get(code);
    if (shown === undefined) {
      shown = codeOf(code);
      this.codes.set(code, shown);
    }
    return { address, symbol: name, offset, module, ...shown };
  }

  private counted(found: Symbolized): Symbolized {
    if (found.kind === "unknown") this.count(found.reason);
    return found;
  }

  private count(reason: MissingName): void {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }

  cgroupPath(id: bigint, pattern: number): string {
    return cgroupPaths(id, pattern === 0 ? undefined : this.texts[pattern - 1]);
  }

  userName(uid: bigint): string {
    this.userNames ??= readUserNames();
    return this.userNames.get(uid.toString()) ?? uid.toString();
  }

  probeName(id: number): string {
    return this.targets[id]?.name ?? `probe ${id}`;
  }

  functionName(id: number): string {
    return this.targets[id]?.func ?? `probe ${id}`;
  }

  formatTime(nanoseconds: bigint, format: number, clock: Clock): string {
    return this.time.text(this.texts[format] ?? "", this.time.of(clock, nanoseconds));
  }

  stack(id: bigint, pid: number, type: StackType): ResolvedStack {
    const finished = type.unwound === true ? this.pending?.byId(id) : undefined;
    if (finished !== undefined) return this.framesOrLate(finished, 0, finished.byteLength / 8, pid, type);
    if (id < 0n)
      return {
        frames: [],
        ...(id === -14n
          ? {}
          : { missing: id === -17n ? "another stack has the same hash" : `bpf_get_stackid failed: ${id}` }),
      };
    const { depth, mode, unwound = false } = type;
    const key = new Uint8Array(8);
    new DataView(key.buffer).setBigUint64(0, id, true);
    // Those that programs put there themselves begin with their number of frames; both layouts of them are the same.
    const counted = unwound ? unwoundMapName(depth) : id >= firstOverflowId ? overflowMapName(depth) : undefined;
    const map = counted ?? stackMapName(depth, mode === "build_id");
    const bytes = readValue(this.sys, this.loaded.map(map), counted === undefined ? key.subarray(0, 4) : key);
    if (bytes === undefined) return { frames: [], missing: "the stack is no longer in the kernel's map" };
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const at = counted === undefined ? 0 : unwoundLayout.frames;
    const count = counted === undefined ? depth : Math.min(Number(view.getBigUint64(unwoundLayout.count, true)), depth);
    return this.framesOrLate(view, at, count, pid, type);
  }

  private framesOrLate(view: DataView, at: number, count: number, pid: number, type: StackType): ResolvedStack {
    const { mode, user } = type;
    if (!this.whenShown || mode === "raw" || mode === "build_id") return this.frames(view, at, count, pid, type);
    if (endsWithMark(view, at, count)) return this.late(this.addresses.take(view, at, count - 1), pid, user);
    return this.late(this.addresses.take(view, at, count), pid, user);
  }

  frames(view: DataView, at: number, count: number, pid: number, type: StackType): ResolvedStack {
    if (type.unwound === true && endsWithMark(view, at, count)) {
      const finished = this.pending?.byMark(view.getBigUint64(at + 8 * (count - 1), true));
      if (finished !== undefined) return this.framesAt(finished, 0, finished.byteLength / 8, pid, type);
      return this.framesAt(view, at, count - 1, pid, type);
    }
    return this.framesAt(view, at, count, pid, type);
  }

  private framesAt(view: DataView, at: number, count: number, pid: number, { user, mode }: StackType): ResolvedStack {
    if (mode === "build_id") return { frames: buildIdFrames(view, at, count) };
    if (mode === "raw") return { frames: addressesAt(view, at, count).map(bare) };
    const since = this.since();
    const state = !this.whenShown ? undefined : user ? this.users.usualState(pid, since) : this.kernel.state;
    const known = state === undefined ? undefined : this.recent.find(state, view, at, count);
    if (known !== undefined) {
      for (const reason of known.reasons) this.count(reason);
      return this.late(known.addresses, pid, user, known.shown);
    }
    const addresses = addressesAt(view, at, count);
    const usual = user ? this.users.resolveUsual(pid, addresses, this.lookup(since)) : undefined;
    const found = usual ?? this.resolve(addresses, pid, user, since);
    const reasons = found.flatMap((each) => (each.kind === "unknown" ? [each.reason] : []));
    for (const reason of reasons) this.count(reason);
    // Of the kernel's addresses those without a name are looked for again.
    const lasts = user ? usual !== undefined : reasons.length === 0;
    const shown = lasts && state !== undefined ? this.recent.keep(state, view, at, count, reasons) : undefined;
    return { frames: this.framesOf(addresses, found), ...(shown === undefined ? {} : { shown }) };
  }

  /** Stacks of maps may be many: their names come when they are shown. Those of one that has its text already are counted. */
  private late(addresses: BigUint64Array, pid: number, user: boolean, shown?: ShownStack): ResolvedStack {
    const since = this.since();
    return new LateStack(addresses, shown, (late) => {
      if (this.shown?.late !== late) {
        const each = [...late.addresses];
        const found = this.resolve(each, pid, user, since);
        if (!late.isCounted) for (const one of found) this.counted(one);
        late.isCounted = true;
        this.shown = { late, frames: this.framesOf(each, found) };
      }
      return this.shown.frames;
    });
  }

  private resolve(addresses: readonly bigint[], pid: number, user: boolean, since: bigint): readonly Symbolized[] {
    return user
      ? this.users.resolveStack(pid, addresses, this.lookup(since))
      : addresses.map((address) => this.kernel.resolve(address));
  }

  private lookup(since: bigint): Lookup {
    return { code: this.showsCode, since };
  }

  private framesOf(addresses: readonly bigint[], found: readonly Symbolized[]): readonly Frame[] {
    return addresses.map((address, i) => this.frame(address, found[i] ?? unknown("unmapped")));
  }
}

/** The last frame stands for those that user space finds. */
const endsWithMark = (view: DataView, at: number, count: number): boolean =>
  count > 0 && view.getUint32(at + 8 * count - 4, true) >>> 30 === 1;

/** Up to the first that is none: the kernel's maps have as many places as a stack can have frames. */
function lengthOf(view: DataView, at: number, count: number): number {
  let length = 0;
  while (length < count && view.getBigUint64(at + 8 * length, true) !== 0n) length++;
  return length;
}

const addressesAt = (view: DataView, at: number, count: number): readonly bigint[] =>
  Array.from({ length: lengthOf(view, at, count) }, (_, i) => view.getBigUint64(at + 8 * i, true));

/** Words of 32 bits that are allocated at once. */
const poolWords = 1 << 16;

/** Addresses of many stacks, in few pieces of memory: a buffer each would take as much as what is in it. */
class AddressPool {
  private words = new Uint32Array(0);
  private used = 0;

  take(view: DataView, at: number, count: number): BigUint64Array {
    const length = 2 * lengthOf(view, at, count);
    if (this.used + length > this.words.length) {
      this.words = new Uint32Array(Math.max(poolWords, length));
      this.used = 0;
    }
    const { words, used } = this;
    for (let i = 0; i < length; i++) words[used + i] = view.getUint32(at + 4 * i, true);
    this.used += length;
    return new BigUint64Array(words.buffer, 4 * used, length / 2);
  }
}

const bare = (address: bigint): Frame => ({ address, symbol: undefined, offset: 0n, module: undefined });

/** A stack whose frames are named when somebody asks for them, each time; only the first counts what has no name. */
class LateStack implements ResolvedStack {
  readonly addresses: BigUint64Array;
  readonly shown: ShownStack | undefined;
  isCounted: boolean;
  private readonly name: (late: LateStack) => readonly Frame[];

  constructor(addresses: BigUint64Array, shown: ShownStack | undefined, name: (late: LateStack) => readonly Frame[]) {
    this.addresses = addresses;
    this.shown = shown;
    this.isCounted = shown !== undefined;
    this.name = name;
  }

  get frames(): readonly Frame[] {
    return this.name(this);
  }
}

type ShownCode = Pick<Frame, "source" | "inlined">;

const codeOf = ({ place, inlined }: CodePlace): ShownCode => ({
  ...sourceOf(place),
  ...(inlined.length === 0 ? {} : { inlined: inlined.map((each) => ({ symbol: each.name, ...sourceOf(each.place) })) }),
});

const sourceOf = (place: SourcePlace | undefined): { readonly source?: string } =>
  place === undefined ? {} : { source: `${place.file}:${place.line}` };

/** Frames up to the first empty one; where a file has no build id the kernel gives the address. */
function buildIdFrames(view: DataView, start: number, count: number): readonly Frame[] {
  const frames: Frame[] = [];
  for (let at = start; at < start + count * buildIdFrame.size; at += buildIdFrame.size) {
    const status = view.getInt32(at + buildIdFrame.status, true);
    if (status === 0) break;
    const offset = view.getBigUint64(at + buildIdFrame.offset, true);
    const id = new Uint8Array(view.buffer, view.byteOffset + at + buildIdFrame.id, buildIdFrame.idSize);
    const known = status === buildIdFrame.valid;
    const symbol = known ? Buffer.from(id).toString("hex") : undefined;
    frames.push({ address: offset, symbol, offset: known ? offset : 0n, module: undefined });
  }
  return frames;
}

const symbolText = (found: Symbolized, address: bigint): SymbolText =>
  found.kind === "symbol"
    ? { value: found.name }
    : { value: address === 0n ? "0" : `0x${address.toString(16)}`, unnamed: found.reason };

/** User names by id, as passwd(5) has them; the first of an id counts. */
function readUserNames(): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const { name, uid } of readPasswd()) if (!names.has(uid)) names.set(uid, name);
  return names;
}

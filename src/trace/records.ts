import { Disposables } from "../base/disposable.js";
import type { Host } from "../events/host.js";
import { handlerOf, type RecordHandler } from "../events/record-handlers.js";
import { RecordStream } from "../events/record-stream.js";
import { RingFollower } from "../events/ring-follower.js";
import { RingReader } from "../events/ring-reader.js";
import type { LoadedMap, LoadedObject } from "../load/loaded-object.js";
import type { Sys } from "../sys/sys.js";
import { systemMaps } from "../wire/map-storage.js";
import type { RecordMode, RecordSpec } from "../wire/record.js";
import { Wishes } from "./wishes.js";

/** What is wanted without a record has no data. */
const noRecord = new DataView(new ArrayBuffer(0));

/** How long records are handled before signals are heard, where no {@link RingFollower} sees to it. */
const pieceMilliseconds = 20;

export interface RecordsOptions {
  /** Whether a record is acted on: those behind an exit() are not. */
  readonly isDone: (record: RecordMode) => boolean;
  /** Told when a batch of records has been handled. */
  readonly afterTurn: () => void;
}

/** What programs tell: the records of the rings, handed to their handlers one after the other. */
export class Records implements Disposable {
  private readonly sys: Sys;
  private readonly records: readonly { readonly spec: RecordSpec; readonly handle: RecordHandler }[];
  private readonly host: Host;
  private readonly options: RecordsOptions;
  private readonly owned = new Disposables();
  private readonly rings: readonly LoadedMap[];
  private readonly data: RingReader | undefined;
  private readonly stream: RecordStream | undefined;
  private readonly wishes: Wishes | undefined;
  private follower: RingFollower | undefined;
  /** What must have happened before the next record is handled. */
  private waitsFor: Promise<void> | undefined;

  constructor(sys: Sys, loaded: LoadedObject, specs: readonly RecordSpec[], host: Host, options: RecordsOptions) {
    this.sys = sys;
    this.records = specs.map((spec) => ({ spec, handle: handlerOf(spec) }));
    this.host = host;
    this.options = options;
    const has = (name: string): boolean => loaded.object.maps.some((map) => map.name === name);
    this.rings = [systemMaps.events, systemMaps.control].filter(has).map((name) => loaded.map(name));
    const largest = Math.max(...specs.map(({ size }) => size));
    const [data, control] = this.rings.map(({ fd, spec }) =>
      this.owned.use(RingReader.open(sys, fd, spec.maxEntries, largest)),
    );
    this.data = data;
    this.stream = data === undefined ? undefined : new RecordStream(data, control);
    if (has(systemMaps.wishes)) this.wishes = new Wishes(sys, loaded);
  }

  /** See RingReader. */
  get emptyAt(): bigint {
    return this.data?.emptyAt ?? 0n;
  }

  /** Nothing more is handled until `work` has settled. */
  hold(work: Promise<unknown>): void {
    const all = this.waitsFor === undefined ? work : Promise.all([this.waitsFor, work]);
    const waiting = all.then(() => {
      if (this.waitsFor === waiting) this.waitsFor = undefined;
    });
    // Whoever waits for it is told.
    waiting.catch(() => undefined);
    this.waitsFor = waiting;
  }

  async settled(): Promise<void> {
    while (this.waitsFor !== undefined) await this.waitsFor;
  }

  /** Handles all that there is, in pieces: signals are heard between them. */
  async drain(): Promise<void> {
    const { stream } = this;
    if (stream === undefined) return;
    for (;;) {
      await this.settled();
      const { state } = stream.drainWithin(pieceMilliseconds, this.handle, Number.POSITIVE_INFINITY);
      if (state === "empty") this.fulfil();
      if (state === "empty" && this.waitsFor === undefined) return;
      if (state !== "more") continue;
      this.options.afterTurn();
      await new Promise(setImmediate);
    }
  }

  /** Handles what comes, until {@link stop}; the promise fails where a handler does. Undefined if nothing will come. */
  follow(): Promise<void> | undefined {
    if (this.stream === undefined) return undefined;
    const afterTurn = (): void => {
      this.fulfil();
      this.options.afterTurn();
    };
    const fds = this.rings.map(({ fd }) => fd);
    const busy = (): Promise<void> | undefined => this.waitsFor;
    this.follower = new RingFollower(this.sys, fds, this.stream, this.handle, { afterTurn, busy });
    return this.follower.done;
  }

  async stop(): Promise<void> {
    await this.follower?.stop();
  }

  private readonly handle = (view: DataView, offset: number): boolean => {
    const record = this.records[view.getUint32(offset, true)];
    if (record === undefined) throw new Error("internal: a record without a description");
    if (this.options.isDone(record.spec)) this.act(record.handle, view, offset);
    return this.waitsFor === undefined;
  };

  private act(handle: RecordHandler, view: DataView, offset: number): void {
    const work = handle(this.host, view, offset);
    if (work !== undefined) this.hold(work);
  }

  /** Does what was wanted while the ring of what has user space act was full: before an exit(), behind which nothing is wanted. */
  private fulfil(): void {
    for (const index of this.wishes?.take() ?? []) {
      const record = this.records[index];
      if (record !== undefined) this.act(record.handle, noRecord, 0);
    }
  }

  [Symbol.dispose](): void {
    this.owned[Symbol.dispose]();
  }
}

import { Disposables } from "../base/disposable.js";
import type { Fd } from "../sys/fd.js";
import { waitReadable } from "../sys/poll.js";
import { clearEventFd, eventFd, signalEventFd } from "../sys/process-calls.js";
import type { Sys } from "../sys/sys.js";
import type { RecordStream, StreamState } from "./record-stream.js";
import type { RecordHandler } from "./ring-reader.js";

export interface FollowOptions {
  /** Told after each turn that read something, e.g. to write what was formatted. */
  readonly afterTurn?: () => void;
  /** What to wait for before more is read: asked after each turn. A failure ends the following. */
  readonly busy?: () => Promise<unknown> | undefined;
  /** An exception of the handler; following goes on with the next record. Absent: it ends {@link RingFollower.done}. */
  readonly onError?: (error: unknown) => void;
}

/** Records of a turn before timers, signals and other I/O get theirs: some 5 to 20 ms of handling. */
const turnRecords = 8192;
/** The same for records that are handled slowly. */
const turnMilliseconds = 20;

/**
 * The kernel wakes a reader for each record that comes while the reader sleeps. If records come more often than this the
 * reader sleeps by the clock instead: one wake-up then serves many records, and what the reader itself does at each (a
 * few system calls) does not flood a script that traces them.
 */
const restMilliseconds = 2;
/** Turns that must follow one another within {@link restMilliseconds} before it does. */
const busyTurns = 4;

/** A wait ends after this time even if nothing came: it bounds how long a lost wake-up could go unnoticed. */
const waitMilliseconds = 1000;

/**
 * Reads a ring whenever there is something in it, without blocking Node's event loop: ppoll(2) waits in a thread of
 * libuv's pool. libuv itself cannot watch the descriptor of a ring (it takes pipes, sockets and terminals only), and a
 * worker thread would cost 15 ms and 10 MB. The event loop stays alive until {@link stop}.
 */
export class RingFollower {
  /** Settles after {@link stop}, when nothing is being waited for any more. */
  readonly done: Promise<void>;
  private readonly sys: Sys;
  private readonly maps: readonly Fd[];
  private readonly stream: RecordStream;
  private readonly handler: RecordHandler;
  private readonly options: FollowOptions;
  private readonly wake: Fd;
  private stopping = false;
  private tellStopped: () => void = () => undefined;
  private readonly stopped = new Promise<void>((resolve) => {
    this.tellStopped = resolve;
  });
  private endRest: (() => void) | undefined;

  /** `maps` are the rings of the stream. */
  constructor(
    sys: Sys,
    maps: readonly Fd[],
    stream: RecordStream,
    handler: RecordHandler,
    options: FollowOptions = {},
  ) {
    this.sys = sys;
    this.maps = maps;
    this.stream = stream;
    this.handler = handler;
    this.options = options;
    this.wake = eventFd(sys, "wake-up of a ring reader");
    this.done = this.run();
  }

  /**
   * Ends the waiting, also that for {@link FollowOptions.busy}; what is in the ring stays there (call
   * {@link RecordStream.drain} for the last records). Afterwards `done` settles. Call it on every way out: Node joins the pool's threads at exit and would sit out the wait.
   */
  stop(): Promise<void> {
    if (!this.stopping) {
      this.stopping = true;
      if (!this.wake.closed) signalEventFd(this.sys, this.wake);
      this.endRest?.();
      this.tellStopped();
    }
    return this.done;
  }

  private async run(): Promise<void> {
    const owned = new Disposables();
    owned.use(this.wake);
    // process.exit() in the middle of it: the thread must come back.
    const atExit = () => signalEventFd(this.sys, this.wake);
    process.on("exit", atExit);
    owned.defer(() => process.off("exit", atExit));
    try {
      let turnsInARow = 0;
      let last = 0;
      // The handler is never called from the constructor.
      await undefined;
      while (!this.stopping) {
        const { read, state } = this.turn();
        if (this.stopping) break;
        const busy = this.options.busy?.();
        if (busy !== undefined) {
          await Promise.race([busy, this.stopped]);
          continue;
        }
        if (state !== "empty") {
          await new Promise(setImmediate);
          continue;
        }
        const now = performance.now();
        if (read > 0) {
          turnsInARow = now - last < 2 * restMilliseconds ? turnsInARow + 1 : 0;
          last = now;
        }
        // A record that is still being written makes ppoll return at once; a rest lets its writer finish.
        if (turnsInARow >= busyTurns || this.stream.pending > 0) {
          await this.rest();
          if (read === 0) turnsInARow = 0;
        } else await this.wait();
      }
    } finally {
      owned[Symbol.dispose]();
    }
  }

  private turn(): { readonly read: number; readonly state: StreamState } {
    let turn: ReturnType<RecordStream["drain"]>;
    try {
      turn = this.stream.drainWithin(turnMilliseconds, this.handler, turnRecords);
    } catch (error) {
      if (this.options.onError === undefined) throw error;
      this.options.onError(error);
      turn = { read: turnRecords, state: "more" };
    }
    if (turn.read > 0) this.options.afterTurn?.();
    return turn;
  }

  private async wait(): Promise<void> {
    await waitReadable(this.sys, [...this.maps, this.wake], waitMilliseconds);
    if (this.stopping) clearEventFd(this.sys, this.wake);
  }

  private rest(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.endRest?.(), restMilliseconds);
      this.endRest = () => {
        clearTimeout(timer);
        this.endRest = undefined;
        resolve();
      };
    });
  }
}

import type { RecordHandler, RingReader } from "./ring-reader.js";

/** Records between looks at the clock, at first. */
const firstSlice = 8;

/** How a look at the rings has ended: nothing is left that is finished, there is more, or the handler wants to wait. */
export type StreamState = "empty" | "more" | "held";

/**
 * Records of one or two rings in the order in which programs sent them. The second one is for what asks user space to act:
 * it has room when the first is full of data. Its records tell in their second word where the first one's next record would
 * have begun then, and are handled before that.
 *
 * Why no record comes too early: the end of the data is looked at first, then the other ring. Who has written data that end
 * before it has sent what it said before that, too.
 */
export class RecordStream {
  private readonly data: RingReader;
  private readonly control: RingReader | undefined;
  private stopped = false;

  constructor(data: RingReader, control: RingReader | undefined) {
    this.data = data;
    this.control = control;
  }

  /** Bytes that wait to be read, records in the making included. */
  get pending(): number {
    return this.data.pending + (this.control?.pending ?? 0);
  }

  /** Gives finished records to `handler`, at most `limit`. */
  drain(handler: RecordHandler, limit: number): { readonly read: number; readonly state: StreamState } {
    this.stopped = false;
    const stopping: RecordHandler = (view, offset, length) => {
      const goOn = handler(view, offset, length);
      if (goOn === false) this.stopped = true;
      return goOn;
    };
    const { data, control } = this;
    let read = 0;
    while (read < limit) {
      if (control === undefined) {
        read += data.drain(stopping, limit);
        return { read, state: this.stopped ? "held" : read >= limit ? "more" : "empty" };
      }
      const end = data.end;
      const head = control.head();
      // What is still being written there may belong in front of any data.
      if (head === "unfinished") return { read, state: "empty" };
      const until = head === "none" ? end : head.word;
      // Data of another processor may have been read between the moment that it tells and its own.
      const ahead = (): boolean => ((until - data.position) | 0) > 0;
      if (ahead()) read += data.drain(stopping, limit - read, until);
      if (this.stopped) return { read, state: "held" };
      if (read >= limit) break;
      // Data in front of it are still being written.
      if (ahead()) return { read, state: "empty" };
      if (head === "none") {
        if (data.end === end && control.head() === "none") return { read, state: "empty" };
        continue;
      }
      read += control.drain(stopping, 1);
      if (this.stopped) return { read, state: "held" };
    }
    return { read, state: "more" };
  }

  /** The same for about so many milliseconds at most: what is done for a record may take long. */
  drainWithin(
    milliseconds: number,
    handler: RecordHandler,
    limit: number,
  ): { readonly read: number; readonly state: StreamState } {
    const end = performance.now() + milliseconds;
    let read = 0;
    for (let slice = firstSlice; read < limit; slice *= 2) {
      const turn = this.drain(handler, Math.min(slice, limit - read));
      read += turn.read;
      if (turn.state !== "more") return { read, state: turn.state };
      if (performance.now() >= end) break;
    }
    return { read, state: "more" };
  }
}

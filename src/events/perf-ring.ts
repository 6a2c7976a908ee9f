import { perfPage } from "../abi/perf.js";
import { Disposables } from "../base/disposable.js";
import { FormatError } from "../base/errors.js";
import type { Fd } from "../sys/fd.js";
import { Mapping } from "../sys/mapping.js";
import type { Sys } from "../sys/sys.js";

/** Bytes of a record's header: `{ u32 type; u16 misc; u16 size }`. */
const headerSize = 8;

/**
 * Reads the ring of a perf event where the kernel writes it (perf_event_open(2), MMAP layout; kernel/events/ring_buffer.c,
 * Linux 6.18): a page with both positions, then the data, a power of two of bytes. Records may go on at the ring's
 * beginning; they are multiples of 8 bytes, so that at least a header never does.
 *
 * Ordering: the kernel writes data_head after a barrier and reads data_tail before one (perf_output_put_handle()); Atomics
 * are sequentially consistent, as events/ring-reader.ts explains.
 */
export class PerfRing implements Disposable {
  private readonly owned = new Disposables();
  private readonly positions: BigInt64Array;
  private readonly view: DataView;
  private readonly data: Uint8Array;
  private readonly mask: number;
  private tail: bigint;
  private open = true;

  /** `buffer` is the page with the positions, and `size` bytes of data behind it. */
  constructor(buffer: ArrayBuffer, pageSize: number, size: number) {
    this.positions = new BigInt64Array(buffer, perfPage.head, 2);
    this.data = new Uint8Array(buffer, pageSize, size);
    this.view = new DataView(buffer, pageSize, size);
    this.mask = size - 1;
    this.tail = Atomics.load(this.positions, 1);
  }

  /** Maps the ring of an event, which makes it; `size` is a power of two of pages. The reader does not own the descriptor. */
  static map(sys: Sys, event: Fd, size: number): PerfRing {
    const owned = new Disposables();
    try {
      const mapping = owned.use(new Mapping(sys, event, 0, sys.pageSize + size, "write"));
      const ring = new PerfRing(mapping.buffer, sys.pageSize, size);
      ring.owned.use(owned.move());
      return ring;
    } finally {
      owned[Symbol.dispose]();
    }
  }

  /** Gives every record to `handler`, whose bytes are valid until it returns, and room to the kernel. */
  drain(handler: (record: Uint8Array) => void): void {
    if (!this.open) return;
    const head = Atomics.load(this.positions, 0);
    let tail = this.tail;
    try {
      while (tail < head) {
        const at = Number(tail & BigInt(this.mask));
        const size = this.view.getUint16(at + 6, true);
        if (size < headerSize || BigInt(size) > head - tail) {
          // Nothing behind it can be told apart.
          tail = head;
          throw new FormatError(`perf ring: a record of ${size} bytes, where ${head - tail} are left`);
        }
        tail += BigInt((size + 7) & ~7);
        handler(this.record(at, size));
      }
    } finally {
      this.tail = tail;
      Atomics.store(this.positions, 1, tail);
    }
  }

  private record(at: number, size: number): Uint8Array {
    const { data } = this;
    if (at + size <= data.length) return data.subarray(at, at + size);
    const whole = new Uint8Array(size);
    whole.set(data.subarray(at));
    whole.set(data.subarray(0, at + size - data.length), data.length - at);
    return whole;
  }

  [Symbol.dispose](): void {
    this.open = false;
    this.owned[Symbol.dispose]();
  }
}

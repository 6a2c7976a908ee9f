import { BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ } from "../abi/bpf.js";
import { Disposables } from "../base/disposable.js";
import type { Fd } from "../sys/fd.js";
import { Mapping } from "../sys/mapping.js";
import type { Sys } from "../sys/sys.js";

/**
 * Gets one record: `length` bytes at `offset` of the view, valid until it returns. `false`: none is to follow for now, because
 * something must be waited for.
 */
export type RecordHandler = (view: DataView, offset: number, length: number) => unknown;

/** What a record is known by before it is read: see {@link RingReader.head}. */
export interface RecordHead {
  /** The second four bytes of the record. */
  readonly word: number;
}

/** The parts of a ring as user space maps it; plain buffers in tests. */
export interface RingMemory {
  /** A page; its first 8 bytes are the consumer position. Writable. */
  readonly consumer: ArrayBuffer;
  /** A page; its first 8 bytes are the producer position. */
  readonly producer: ArrayBuffer;
  readonly data: RingWindow;
  readonly pageSize: number;
  /** Bytes of data, a power of two. */
  readonly size: number;
}

/**
 * A part of the data, which stand in the kernel twice, one behind the other, so that no record wraps. A process is charged for
 * each page that it has mapped, used or not: of a large ring a window is enough.
 */
export interface RingWindow {
  readonly buffer: ArrayBuffer;
  /** Has the buffer begin at this byte of the data, a multiple of the page's size. */
  move(start: number): void;
}

/** Bytes of a window, unless the largest record needs more. */
const windowSize = 512 << 10;

/**
 * Reads a BPF ring buffer (BPF_MAP_TYPE_RINGBUF, kernel/bpf/ringbuf.c, Linux 6.18) where the kernel writes it: no system
 * call and no allocation per record.
 *
 * Ordering: the kernel publishes with smp_store_release() (positions) and xchg() (the header's busy bit), so that we must
 * read those words with acquire and write the consumer position with release. JavaScript's Atomics are sequentially
 * consistent on any ArrayBuffer (only Atomics.wait needs a shared one): plain loads and a lock-prefixed store on x86-64,
 * LDAR and STLR on arm64. That also keeps the compiler from reusing a word that it read before, and orders our store of
 * the consumer position before the next load of the producer's: the kernel wakes us only if it saw that we caught up
 * (bpf_ringbuf_commit()).
 */
export class RingReader implements Disposable {
  private readonly owned = new Disposables();
  private readonly mask: number;
  private readonly size: number;
  private readonly pageSize: number;
  private readonly data: RingWindow;
  private readonly view: DataView;
  private readonly words: Int32Array;
  /** Which byte of the data the window begins with. */
  private windowStart = 0;
  private readonly producerPosition: Int32Array;
  private readonly consumerPosition: BigInt64Array;
  /** What the kernel was told last. */
  private consumed: bigint;
  private open = true;
  private emptied = 0n;

  constructor(memory: RingMemory) {
    this.size = memory.size;
    this.mask = memory.size - 1;
    this.pageSize = memory.pageSize;
    this.data = memory.data;
    this.view = new DataView(memory.data.buffer);
    this.words = new Int32Array(memory.data.buffer);
    this.producerPosition = new Int32Array(memory.producer, 0, 1);
    this.consumerPosition = new BigInt64Array(memory.consumer, 0, 1);
    this.consumed = Atomics.load(this.consumerPosition, 0);
  }

  /** Maps the ring of a map; `size` is its max_entries, `largest` that of a record. The reader does not own the descriptor. */
  static open(sys: Sys, map: Fd, size: number, largest: number): RingReader {
    const { pageSize } = sys;
    // A record may begin at the end of a page.
    const wanted = Math.max(windowSize, 2 ** Math.ceil(Math.log2(largest + BPF_RINGBUF_HDR_SZ + pageSize)));
    const owned = new Disposables();
    try {
      const consumer = owned.use(new Mapping(sys, map, 0, pageSize, "write"));
      // Pages from the producer's on cannot be mapped writable: ringbuf_map_mmap_kern().
      const producer = owned.use(new Mapping(sys, map, pageSize, pageSize, "read"));
      const data = owned.use(new Mapping(sys, map, 2 * pageSize, wanted <= size ? wanted : 2 * size, "read"));
      const reader = new RingReader({
        consumer: consumer.buffer,
        producer: producer.buffer,
        data: { buffer: data.buffer, move: (start) => data.move(2 * pageSize + start) },
        pageSize,
        size,
      });
      reader.owned.use(owned.move());
      return reader;
    } finally {
      owned[Symbol.dispose]();
    }
  }

  /**
   * Nanoseconds of the monotonic clock: whatever is read next was recorded later. (A stack in it may have been taken before
   * that, but within the same run of its program.)
   */
  get emptyAt(): bigint {
    return this.emptied;
  }

  /** Bytes that wait to be read, records in the making included. */
  get pending(): number {
    if (!this.open) return 0;
    return (Atomics.load(this.producerPosition, 0) - Number(BigInt.asIntN(32, this.consumed))) >>> 0;
  }

  /** The low 32 bits of where the next record begins, and of where the kernel will begin one; bytes since the beginning. */
  get position(): number {
    return Number(BigInt.asUintN(32, this.consumed));
  }

  get end(): number {
    return this.open ? Atomics.load(this.producerPosition, 0) >>> 0 : this.position;
  }

  /** The next record, unless there is none, or it is still being written. */
  head(): RecordHead | "none" | "unfinished" {
    while (this.open && this.position !== this.end) {
      const at = this.position & this.mask;
      const header = Atomics.load(this.words, this.place(at, BPF_RINGBUF_HDR_SZ) >>> 2);
      if ((header & BPF_RINGBUF_BUSY_BIT) !== 0) return "unfinished";
      const length = header & ~BPF_RINGBUF_DISCARD_BIT;
      if ((header & BPF_RINGBUF_DISCARD_BIT) === 0) {
        const local = this.place(at, BPF_RINGBUF_HDR_SZ + length);
        return { word: this.view.getUint32(local + BPF_RINGBUF_HDR_SZ + 4, true) };
      }
      this.release((length + BPF_RINGBUF_HDR_SZ + 7) & ~7);
    }
    return "none";
  }

  /**
   * Gives every finished record (at most `limit`) to `handler` and returns how many there were. It stops at a record that
   * the kernel is still writing, where the handler answers `false`, and at the record that begins at `until`, of which
   * 32 bits are enough as of positions here. An exception of the handler ends it; the record counts as read.
   */
  drain(handler: RecordHandler, limit = Number.POSITIVE_INFINITY, until?: number): number {
    if (!this.open) return 0;
    const { words, mask, view, producerPosition } = this;
    // Positions count bytes since the beginning. 32 bits of them are enough here because the producer is never more than
    // `size` (at most 2^31) ahead; only what is told to the kernel has 64.
    const start = Number(BigInt.asUintN(32, this.consumed));
    const release = this.size >>> 3;
    const begun = process.hrtime.bigint();
    const bound = until === undefined ? Number.POSITIVE_INFINITY : (until - start) >>> 0;
    let released = 0;
    let read = 0;
    let count = 0;
    try {
      let available = (Atomics.load(producerPosition, 0) - start) >>> 0;
      while (count < limit && read < bound) {
        if (read >= available) {
          available = (Atomics.load(producerPosition, 0) - start) >>> 0;
          if (read >= available) {
            this.emptied = begun;
            break;
          }
        }
        const at = (start + read) & mask;
        let local = this.place(at, BPF_RINGBUF_HDR_SZ);
        const header = Atomics.load(words, local >>> 2);
        if ((header & BPF_RINGBUF_BUSY_BIT) !== 0) break;
        const length = header & ~BPF_RINGBUF_DISCARD_BIT;
        read += (length + BPF_RINGBUF_HDR_SZ + 7) & ~7;
        if ((header & BPF_RINGBUF_DISCARD_BIT) === 0) {
          count++;
          local = this.place(at, BPF_RINGBUF_HDR_SZ + length);
          const goOn = handler(view, local + BPF_RINGBUF_HDR_SZ, length);
          if (!this.open || goOn === false) return count;
        }
        // Room for the kernel before the end of a long batch.
        if (read - released >= release) {
          this.release(read - released);
          released = read;
        }
      }
    } finally {
      if (this.open && read > released) this.release(read - released);
    }
    return count;
  }

  /** Where bytes of the data are in the window, which is moved if they are not all in it. */
  private place(at: number, length: number): number {
    const local = at - this.windowStart;
    if (local >= 0 && local + length <= this.view.byteLength) return local;
    this.windowStart = at - (at % this.pageSize);
    this.data.move(this.windowStart);
    return at - this.windowStart;
  }

  private release(bytes: number): void {
    this.consumed += BigInt(bytes);
    Atomics.store(this.consumerPosition, 0, this.consumed);
  }

  [Symbol.dispose](): void {
    this.open = false;
    this.owned[Symbol.dispose]();
  }
}

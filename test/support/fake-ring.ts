import assert from "node:assert/strict";
import { RingReader, type RingWindow } from "../../src/events/ring-reader.js";

export const pageSize = 4096;
/** Flags of a record's header. */
export const busy = 0x80000000;
export const discard = 0x40000000;

/** The kernel's side of a ring in plain memory; the data is there twice, as if it were mapped so. */
export class FakeRing {
  readonly size: number;
  readonly consumer = new ArrayBuffer(pageSize);
  readonly producer = new ArrayBuffer(pageSize);
  readonly data: ArrayBuffer;
  private position: bigint;
  private readonly view: DataView;

  constructor(size: number, start = 0n) {
    this.size = size;
    this.data = new ArrayBuffer(2 * size);
    this.view = new DataView(this.data);
    this.position = start;
    new BigUint64Array(this.consumer)[0] = start;
    this.publish();
  }

  get consumed(): bigint {
    return new BigUint64Array(this.consumer)[0] ?? 0n;
  }

  /** Where the header of the next record goes. */
  get next(): number {
    return Number(this.position & BigInt(this.size - 1));
  }

  setByte(at: number, value: number): void {
    this.view.setUint8(at % this.size, value);
    this.view.setUint8((at % this.size) + this.size, value);
  }

  setHeader(at: number, header: number): void {
    for (let i = 0; i < 4; i++) this.setByte(at + i, (header >>> (8 * i)) & 0xff);
  }

  /** False if there is no room. */
  write(bytes: readonly number[], flags = 0): boolean {
    const step = (bytes.length + 15) & ~7;
    if (this.position + BigInt(step) - this.consumed > BigInt(this.size)) return false;
    const at = this.next;
    this.setHeader(at, (bytes.length | flags) >>> 0);
    for (const [i, byte] of bytes.entries()) this.setByte(at + 8 + i, byte);
    this.position += BigInt(step);
    this.publish();
    return true;
  }

  /** Where the next record will begin, in bytes since the beginning. */
  get end(): bigint {
    return this.position;
  }

  /** A record that is being written, until what it answers is called. */
  begin(bytes: readonly number[]): () => void {
    const at = this.next;
    this.write(bytes, busy);
    return () => this.setHeader(at, bytes.length);
  }

  private publish(): void {
    new BigUint64Array(this.producer, 0, 1)[0] = this.position;
  }

  reader(): RingReader {
    const { consumer, producer, size } = this;
    return new RingReader({ consumer, producer, data: this.whole(), pageSize, size });
  }

  /** All of the data: it need not be moved. */
  private whole(): RingWindow {
    return { buffer: this.data, move: () => assert.fail() };
  }

  /** A reader that sees `length` bytes at a time, and where it has looked. */
  windowed(length: number): { readonly reader: RingReader; readonly starts: number[] } {
    const { consumer, producer, size } = this;
    const starts: number[] = [];
    const buffer = this.data.slice(0, length);
    const move = (start: number): void => {
      starts.push(start);
      new Uint8Array(buffer).set(new Uint8Array(this.data, start, length));
    };
    move(0);
    return { reader: new RingReader({ consumer, producer, data: { buffer, move }, pageSize, size }), starts };
  }
}

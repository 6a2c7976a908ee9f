/** A program touched memory that it may not, or the interpreter was told to stop. */
export class InterpreterError extends Error {}

/**
 * program: what the verifier lets a program touch (stack, context, map values, ring records). kernel: read by
 * probe_read_kernel and by loads through BTF pointers. user: read by probe_read_user alone.
 */
export type MemorySpace = "program" | "kernel" | "user";

export interface Region {
  readonly name: string;
  readonly space: MemorySpace;
  readonly writable: boolean;
  readonly start: bigint;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Simulated memory: regions far apart, each with its own bounds, so that a wild access is noticed. */
export class SimMemory {
  /** By the upper half of the address: one region in each 4 GiB. */
  private readonly regions = new Map<bigint, Region>();
  private readonly next: Record<MemorySpace, bigint> = { program: 0xffff_a000n, kernel: 0xffff_8880n, user: 0x7f00n };
  /** Addresses that were in use, the longest unused first: a late access should find nothing there. */
  private readonly freed: Record<MemorySpace, bigint[]> = { program: [], kernel: [], user: [] };

  /** Puts bytes (not copied) at a fresh address. */
  map(name: string, space: MemorySpace, bytes: Uint8Array, writable = true): Region {
    const old = this.freed[space].length > 256 ? this.freed[space].shift() : undefined;
    const start = old ?? this.next[space]++ << 32n;
    return this.mapAt(start, name, space, bytes, writable);
  }

  /** Puts bytes at a chosen address. */
  mapAt(start: bigint, name: string, space: MemorySpace, bytes: Uint8Array, writable = true): Region {
    const window = start >> 32n;
    if (this.regions.has(window)) throw new InterpreterError(`address 0x${start.toString(16)} is taken`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const region: Region = { name, space, writable, start, bytes, view };
    this.regions.set(window, region);
    return region;
  }

  unmap(region: Region): void {
    this.regions.delete(region.start >> 32n);
    this.freed[region.space].push(region.start);
  }

  /** The region that has all of these bytes, or undefined. */
  find(address: bigint, size: number): { readonly region: Region; readonly offset: number } | undefined {
    const region = this.regions.get(address >> 32n);
    if (region === undefined) return undefined;
    const offset = Number(address - region.start);
    if (offset < 0 || offset + size > region.bytes.length) return undefined;
    return { region, offset };
  }

  /** Memory that the program itself may access. */
  access(address: bigint, size: number, write: boolean): { readonly region: Region; readonly offset: number } {
    const found = this.find(address, size);
    const where = `0x${address.toString(16)}`;
    if (found === undefined) throw new InterpreterError(`${write ? "write" : "read"} of ${size} bytes at ${where}`);
    const { region } = found;
    if (write ? region.space !== "program" || !region.writable : region.space === "user") {
      throw new InterpreterError(`${write ? "write" : "read"} of ${size} bytes in ${region.name} at ${where}`);
    }
    return found;
  }

  /** A copy of bytes that the program may read, for helpers. */
  read(address: bigint, size: number): Uint8Array {
    const { region, offset } = this.access(address, size, false);
    return region.bytes.slice(offset, offset + size);
  }

  write(address: bigint, bytes: Uint8Array): void {
    const { region, offset } = this.access(address, bytes.length, true);
    region.bytes.set(bytes, offset);
  }

  /** Bytes from an address on up to the region's end, as the probe_read helpers see them; undefined is a fault. */
  probe(address: bigint, user: boolean): Uint8Array | undefined {
    const found = this.find(address, 1);
    if (found === undefined || (found.region.space === "user") !== user) return undefined;
    return found.region.bytes.subarray(found.offset);
  }
}

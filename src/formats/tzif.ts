import { ByteReader } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";
import { posixZone } from "./posix-zone.js";
import type { LocalTime, TimeZone } from "./time-zone.js";

// RFC 9636: a header and a block with times of 32 bits; from version 2 on, both once more with 64 bits and a footer.
const magic = 0x545a6966;
const headerSize = 44;
const typeSize = 6;

interface Counts {
  readonly utcFlags: number;
  readonly standardFlags: number;
  readonly leaps: number;
  readonly transitions: number;
  readonly types: number;
  readonly characters: number;
}

interface LeapSecond {
  readonly at: number;
  /** All that were inserted up to here. */
  readonly total: number;
}

/**
 * A zone as a file of /usr/share/zoneinfo has it. Anything else is a FormatError. Which type is valid before the first
 * change, and that a footer's text is a zone by itself, is as in glibc 2.36 (time/tzfile.c).
 */
export function parseTzif(bytes: Uint8Array): TimeZone {
  const reader = new ByteReader(bytes, "time zone", false);
  const version = readVersion(reader, 0);
  const first = readCounts(reader, 0);
  if (version < 2) return readZone(reader, headerSize, first, 4, undefined);
  const second = headerSize + blockSize(first, 4);
  readVersion(reader, second);
  const counts = readCounts(reader, second);
  const block = second + headerSize;
  return readZone(reader, block, counts, 8, footer(reader, block + blockSize(counts, 8)));
}

function readVersion(reader: ByteReader, at: number): number {
  if (reader.u32(at) !== magic) throw new FormatError(`time zone: no TZif at offset ${at}`);
  const version = reader.u8(at + 4);
  return version === 0 ? 1 : version - 0x30;
}

const readCounts = (reader: ByteReader, at: number): Counts => ({
  utcFlags: reader.u32(at + 20),
  standardFlags: reader.u32(at + 24),
  leaps: reader.u32(at + 28),
  transitions: reader.u32(at + 32),
  types: reader.u32(at + 36),
  characters: reader.u32(at + 40),
});

const blockSize = (counts: Counts, timeSize: 4 | 8): number =>
  counts.transitions * (timeSize + 1) +
  counts.types * typeSize +
  counts.characters +
  counts.leaps * (timeSize + 4) +
  counts.standardFlags +
  counts.utcFlags;

function footer(reader: ByteReader, at: number): string | undefined {
  if (at >= reader.length) return undefined;
  if (reader.u8(at) !== 10) throw new FormatError("time zone: no line end before the footer");
  const end = reader.bytes.indexOf(10, at + 1);
  if (end < 0) throw new FormatError("time zone: the footer has no end");
  return end === at + 1 ? undefined : String.fromCharCode(...reader.slice(at + 1, Math.min(end - at - 1, 1024)));
}

function readZone(
  reader: ByteReader,
  start: number,
  counts: Counts,
  timeSize: 4 | 8,
  rule: string | undefined,
): TimeZone {
  // Counts that the file has no bytes for are refused before anything is made for them.
  reader.slice(start, blockSize(counts, timeSize));
  // Files begin some zones at -2^59 seconds; no moment that is asked for lies where a double has gaps.
  const time = (at: number): number => (timeSize === 4 ? reader.i32(at) : Number(BigInt.asIntN(64, reader.u64(at))));
  const indices = start + counts.transitions * timeSize;
  const typesAt = indices + counts.transitions;
  const names = reader.slice(typesAt + counts.types * typeSize, counts.characters);
  const leapsAt = typesAt + counts.types * typeSize + counts.characters;

  const types: LocalTime[] = [];
  let firstStandard: LocalTime | undefined;
  for (let i = 0; i < counts.types; i++) {
    const at = typesAt + i * typeSize;
    const type: LocalTime = { offset: reader.i32(at), name: nameAt(names, reader.u8(at + 5)) };
    types.push(type);
    if (reader.u8(at + 4) === 0) firstStandard ??= type;
  }
  const before = firstStandard ?? types[0];
  if (before === undefined) throw new FormatError("time zone: it has no offset");

  const changes: { readonly at: number; readonly type: LocalTime }[] = [];
  for (let i = 0; i < counts.transitions; i++) {
    const type = types[reader.u8(indices + i)];
    if (type === undefined) throw new FormatError(`time zone: change ${i} is to an offset that is not there`);
    const at = time(start + i * timeSize);
    if (at <= (changes.at(-1)?.at ?? Number.NEGATIVE_INFINITY))
      throw new FormatError("time zone: changes are not in order");
    changes.push({ at, type });
  }
  const leaps: LeapSecond[] = [];
  for (let i = 0; i < counts.leaps; i++) {
    const at = leapsAt + i * (timeSize + 4);
    leaps.push({ at: time(at), total: reader.i32(at + timeSize) });
  }
  const zone = new FileZone(before, changes, rule === undefined ? undefined : posixZone(rule));
  return leaps.length === 0 ? zone : new LeapZone(zone, leaps);
}

function nameAt(names: Uint8Array, at: number): string {
  const end = names.indexOf(0, at);
  if (end < 0) throw new FormatError("time zone: a name has no end");
  return String.fromCharCode(...names.subarray(at, end));
}

class FileZone implements TimeZone {
  private readonly before: LocalTime;
  private readonly changes: readonly { readonly at: number; readonly type: LocalTime }[];
  private readonly rule: TimeZone | undefined;

  constructor(
    before: LocalTime,
    changes: readonly { readonly at: number; readonly type: LocalTime }[],
    rule: TimeZone | undefined,
  ) {
    this.before = before;
    this.changes = changes;
    this.rule = rule;
  }

  at(seconds: number): LocalTime {
    const { changes } = this;
    const last = changes.at(-1);
    if (last === undefined || seconds >= last.at) return this.rule?.at(seconds) ?? last?.type ?? this.before;
    let low = 0;
    let high = changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((changes[middle]?.at ?? 0) <= seconds) low = middle + 1;
      else high = middle;
    }
    return changes[low - 1]?.type ?? this.before;
  }
}

/** A zone of a machine whose clock counts leap seconds, too. */
class LeapZone implements TimeZone {
  private readonly zone: TimeZone;
  private readonly leaps: readonly LeapSecond[];

  constructor(zone: TimeZone, leaps: readonly LeapSecond[]) {
    this.zone = zone;
    this.leaps = leaps;
  }

  at(seconds: number): LocalTime {
    const index = this.leaps.findLastIndex((leap) => leap.at <= seconds);
    const leap = this.leaps[index];
    const shown = this.zone.at(seconds);
    if (leap === undefined) return shown;
    const inserted = leap.at === seconds && leap.total > (this.leaps[index - 1]?.total ?? 0);
    return { ...shown, leapSeconds: leap.total, ...(inserted ? { inserted: 1 } : {}) };
  }
}

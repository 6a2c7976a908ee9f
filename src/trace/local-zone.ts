import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { posixZone } from "../formats/posix-zone.js";
import { type LocalTime, type TimeZone, utc } from "../formats/time-zone.js";
import { parseTzif } from "../formats/tzif.js";

const localFile = "/etc/localtime";
const zonesFolder = "/usr/share/zoneinfo";
/** Files of zones have some kilobytes. */
const mostBytes = 1 << 20;

/** The zone that the environment names (tzset(3)), read when it is asked for the first time. */
export class LocalZone implements TimeZone {
  private zone: TimeZone | undefined;

  at(seconds: number): LocalTime {
    this.zone ??= ownZone();
    return this.zone.at(seconds);
  }
}

function ownZone(): TimeZone {
  const { TZ, TZDIR } = process.env;
  return zoneOf(TZ, TZDIR);
}

/**
 * As glibc 2.36 does it: a file if there is one, else the text as a rule; without TZ the machine's zone. What is neither
 * is UTC.
 */
export function zoneOf(variable: string | undefined, folder: string | undefined): TimeZone {
  if (variable === undefined) return zoneInFile(localFile) ?? utc;
  const name = variable.replace(/^:/, "");
  if (name === "") return utc;
  const path = isAbsolute(name) ? name : join(folder === undefined || folder === "" ? zonesFolder : folder, name);
  return zoneInFile(path) ?? (name === localFile ? utc : posixZone(name));
}

/** Undefined if there is no such file, or another one. */
function zoneInFile(path: string): TimeZone | undefined {
  try {
    const bytes = readZoneFile(path);
    return bytes === undefined ? undefined : parseTzif(bytes);
  } catch {
    return undefined;
  }
}

/** A name may lead to a FIFO or a device, which must not be waited for. */
function readZoneFile(path: string): Uint8Array | undefined {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.size > mostBytes) return undefined;
    const bytes = new Uint8Array(stat.size);
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(file, bytes, length, bytes.length - length, length);
      if (count === 0) break;
      length += count;
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

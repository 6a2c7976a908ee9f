import { existsSync, readdirSync, readFileSync } from "node:fs";
import { FormatError } from "../base/errors.js";
import { parseTracepointFormat, type TracepointFormat } from "../formats/tracepoint-format.js";
import type { Missing } from "../language/kernel-view.js";
import { mount } from "../sys/process-calls.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";

/** Where tracefs may be: Documentation/trace/ftrace.rst. The second one is debugfs's automatic mount. */
const places = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

const findTracefs = (): string | undefined => places.find((place) => existsSync(`${place}/events`));

/**
 * Where tracefs is mounted. Mounts it if it is not and we may: containers and small systems start without, and it is where
 * the kernel says what tracepoints there are.
 */
export function ensureTracefs(sys: Sys): string | Missing {
  const found = findTracefs();
  if (found !== undefined) return found;
  const [place] = places;
  if (place === undefined || !existsSync(place)) return { missing: "this kernel was built without tracefs" };
  try {
    mount(sys, "tracefs", place);
  } catch (error) {
    if (error instanceof SyscallError) return { missing: `tracefs is not mounted, and ${error.message}` };
    throw error;
  }
  return findTracefs() ?? { missing: `${place} has no events; this kernel was built without event tracing` };
}

/** Every event as `category:event`, sorted. */
export function readEvents(tracefs: string): readonly string[] | Missing {
  let text: string;
  try {
    text = readFileSync(`${tracefs}/available_events`, "utf8");
  } catch (error) {
    // Where it may not be read the folders may still be seen.
    return readEventFolders(tracefs) ?? { missing: `${tracefs}/available_events: ${(error as Error).message}` };
  }
  return text
    .split("\n")
    .filter((line) => line !== "")
    .sort();
}

function readEventFolders(tracefs: string): readonly string[] | undefined {
  try {
    const folders = (path: string): string[] =>
      readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name);
    return folders(`${tracefs}/events`)
      .flatMap((category) => folders(`${tracefs}/events/${category}`).map((event) => `${category}:${event}`))
      .sort();
  } catch {
    return undefined;
  }
}

/** Undefined if there is no such event. */
export function readEventFormat(tracefs: string, category: string, event: string): TracepointFormat | undefined {
  if (!isName(category) || !isName(event)) return undefined;
  let text: string;
  try {
    text = readFileSync(`${tracefs}/events/${category}/${event}/format`, "utf8");
  } catch {
    return undefined;
  }
  try {
    return parseTracepointFormat(text);
  } catch (cause) {
    throw new FormatError(`${category}:${event}: its format cannot be read`, { cause });
  }
}

/** Names come from scripts: no way out of the folder. */
const isName = (text: string): boolean => /^[\w.-]+$/.test(text) && text !== "." && text !== "..";

import { MAX_URETPROBE_DEPTH } from "../abi/uprobes.js";
import { assertNever } from "../base/assert-never.js";
import { callFrames, renderDiagnostic } from "../base/diagnostics.js";
import { positionOf, type Span } from "../base/span.js";
import type { Loss } from "../wire/event.js";
import { mostTreeProcesses } from "../wire/map-storage.js";
import { mostUnwound } from "../wire/unwind.js";
import type { MapSnapshot } from "../wire/value.js";
import { errnoText } from "./errno-text.js";
import type { OutputEvent, Rendered } from "./event.js";
import { orderInSteps } from "./map-order.js";
import { plainStyle, type Style } from "./style.js";
import { latestInterval, seriesText } from "./time-series.js";
import { keyText, valueText } from "./value-text.js";

/** An event as text, byte for byte what bpftrace 0.27.1 prints, on the stream that it prints it to. */
export function renderText(event: OutputEvent, style: Style = plainStyle): Rendered {
  switch (event.kind) {
    case "printf":
    case "time":
    case "cat":
      return out(event.text);
    case "pinned":
      return out(`Program pinned to ${event.path}\n`);
    case "join":
    // 0.27.1 ends what a command printed with one more line end.
    case "system":
      return out(`${event.text}\n`);
    case "map":
      return out(mapText(event.map, style));
    case "value":
    case "entry":
      return out(`${valueText(event.value, 1n, style.zone)}\n`);
    case "end":
      // Sets the maps apart from what the script printed.
      return out("\n\n");
    case "warnf":
      return err(`${where(event.span)}: WARNING: ${withoutLineEnd(event.text)}\n${calls(event.span, "WARNING")}`);
    case "errorf":
      return err(`${where(event.span)}: ERROR: ${withoutLineEnd(event.text)}\n${calls(event.span, "ERROR")}`);
    case "attached":
      return err(`Attached ${event.probes} ${event.probes === 1 ? "probe" : "probes"}\n`);
    case "lost":
      return err(event.losses.map((loss) => `${lossText(loss)}\n`).join(""));
    case "warning":
      return err(`WARNING: ${withoutLineEnd(event.message)}\n`);
    case "error":
      return err(`ERROR: ${withoutLineEnd(event.message)}\n`);
    case "exit":
      return out("");
    case "helper-error": {
      const message = `${helperErrorText(event.helper, event.retcode)}\nAdditional Info - helper: ${event.helper}, retcode: ${event.retcode}`;
      return err(warning(message, event.span));
    }
    case "runtime-error":
      return err(warning(event.message, event.span));
    default:
      return assertNever(event);
  }
}

/** bpftrace knows only the first of these and loses the others in silence. */
function lossText({ reason, subject, count, room }: Loss): string {
  const of = subject === undefined ? "" : ` of ${subject}`;
  switch (reason) {
    case "ring-full":
      return `Lost ${count} events`;
    case "map-full":
      return `WARNING: Map full; can't update element: lost ${count} updates${of}. ${moreRoom(subject ?? "@m", room)}`;
    case "map-memory":
      return `WARNING: lost ${count} updates${of}: the kernel had no memory for them. ${memoryAdvice(room)}`;
    case "map-busy":
      return `WARNING: lost ${count} updates${of}: what the probes had interrupted, or another processor, was changing the same part of the map. Fewer new keys from interrupts, or hardware and software events that come less often, make that rarer`;
    case "stack-collision":
      return `Lost ${count} stacks: the kernel's maps of stacks had no room for them`;
    case "loop-too-long":
      return `${count} for loops did not run: the kernel allows 8,388,608 rounds`;
    case "tree-full":
      return `${count} processes of the tree were not followed: it has more than the ${mostTreeProcesses} that are kept`;
    case "returns-nested":
      return `WARNING: returns may be missing: ${count} times ${MAX_URETPROBE_DEPTH} calls of a thread were waiting for theirs, and of calls nested deeper the kernel does not see them`;
    case "unwind-no-process":
      return `WARNING: No DWARF unwind data available for this process: ${count} stacks went by frame pointers. -p, -c and --dwarf-pid name the processes that tables are read for`;
    case "unwind-processes-full":
      return `${count} user stacks went by frame pointers: ${mostUnwound} processes are unwound by tables at one time`;
    case "unwind-unmapped":
      return `${count} user stacks are cut, or by frame pointers: what was mapped where their code is could not be found out`;
    case "unwind-no-table":
      return `${count} user stacks are cut, or by frame pointers: they were taken before the tables of a file were there`;
    case "unwind-no-rule":
      return `${count} user stacks are cut: no table says how a piece of their code is left (code made at run time, assembly, programs of 32 bits)`;
    case "unwind-unreadable":
      return `${count} user stacks are cut: memory of the stack could not be read`;
    case "unwind-stacks-full":
      return `Lost ${count} stacks: the map of stacks was full of others. Its room follows max_map_keys and the declarations of the maps that have stacks`;
    case "kept-memory":
      return `Lost ${count} stacks or processes: the kernel had no memory for them, as in a control group at its memory.max`;
    case "kept-busy":
      return `Lost ${count} stacks or processes: what the probes had interrupted, or another processor, was changing the same part of their map`;
    case "cut":
      return `WARNING: ${count} texts or buffers are cut: buf() has room for max_strlen bytes, str_concat() for 1023, and write_user() writes what the value has`;
    case "scratch-busy":
      return `Lost ${count} events: the buffer was in use by an interrupted probe`;
    case "unhandled":
      return `${count} commands of system(), files of cat() or maps that had not changed were left out: they were still waiting when the trace was ended`;
    case "mappings-lost":
      return `Lost ${count} records of what processes map and run: addresses in them may have no names, or those of a program that ran there before`;
    case "mappings-dropped":
      return `${count} processes had been forgotten, too many ran after them: their addresses have no names`;
    case "missed":
      return `Missed ${count} calls${of}: the probe hit itself`;
    case "missed-calls":
      return `Missed ${count} calls${of}: another probe was being handled, or more calls were on their way than the kernel remembers for their return`;
  }
}

/** How a full map gets room for more keys. */
function moreRoom(map: string, room: Loss["room"]): string {
  const { kind, keys, declared } = room ?? { kind: "hash", keys: 0, declared: false };
  if (declared) return `Its declaration has room for ${keys} keys; for more: let ${map} = ${kind}(${2 * keys});`;
  return `Raise max_map_keys, or declare the map with room for more: let ${map} = ${kind}(${Math.max(50_000, 2 * keys)});`;
}

/** Kinds that drop keys have them all from the start, and say so when none is free; other maps may take memory as they grow. */
const memoryAdvice = (room: Loss["room"]): string =>
  room?.kind.includes("lru") === true
    ? `No key could be dropped at that moment: a declaration with more than ${room.keys} keys leaves more to choose from`
    : "Values that are large are allocated while the probes run, which a control group at its memory.max refuses, and interrupts where many keys are new at once: spread them, or ask for room for fewer keys, so that all is allocated at the start";

/**
 * A map: `@x: 1`, or a line `@x[key]: value` per entry; histograms below their name, each with an empty line after it.
 * A map without entries prints nothing.
 */
export const mapText = (map: MapSnapshot, style: Style = plainStyle): string => [...mapTextParts(map, style)].join("");

/**
 * The same, entry by entry: the stacks of a large map have their names one after the other. Empty texts stand between steps of
 * the work before the first one.
 */
export function* mapTextParts(map: MapSnapshot, { zone }: Style = plainStyle): Generator<string> {
  const div = divOf(map);
  const entries = yield* orderInSteps(map);
  const last = latestInterval(entries);
  for (const { key, value } of entries) {
    const name = map.keyed ? `${map.name}[${keyText(key)}]` : map.name;
    const lines = value.kind === "hist" || value.kind === "lhist" || value.kind === "tseries";
    const shown = value.kind === "tseries" ? seriesText(value, last, zone) : valueText(value, div);
    yield `${name}:${lines ? "\n" : " "}${shown}\n`;
  }
}

/** print(@x, top, 0) divides by 1, as without div. */
export function divOf(map: MapSnapshot): bigint {
  return map.div === undefined || map.div === 0n ? 1n : map.div;
}

/** What a failed helper means, where its errno alone says too little. */
export function helperErrorText(helper: string, retcode: number): string {
  if (helper === "map_update_elem" && retcode === -7) {
    return "Map full; can't update element. Try increasing max_map_keys config or manually setting the max entries in a map declaration e.g. `let @a = hash(5000)`";
  }
  if (helper === "map_delete_elem" && retcode === -2) return "Can't delete map element because it does not exist.";
  // The lookup returns no errno; the retcode of the event is 0.
  if (helper === "map_lookup_elem") return "Can't lookup map element because it does not exist.";
  return errnoText(Math.abs(retcode));
}

/** `stdin:1:87-93`, as in the head of a diagnostic. */
const calls = (span: Span, label: string): string =>
  callFrames(span, label)
    .map((frame) => `${frame}\n`)
    .join("");

function where(span: Span): string {
  const from = positionOf(span.source, span.start);
  const to = positionOf(span.source, span.end);
  if (from.line !== to.line) return `${span.source.name}:${from.line}-${to.line}`;
  return `${span.source.name}:${from.line}:${from.column}-${Math.max(to.column, from.column + 1)}`;
}

function warning(message: string, span: Span): string {
  const diagnostic = { severity: "warning", code: "runtime", span, message, hint: undefined, notes: [] } as const;
  return `${renderDiagnostic(diagnostic)}\n`;
}

const withoutLineEnd = (text: string): string => (text.endsWith("\n") ? text.slice(0, -1) : text);
const out = (text: string): Rendered => ({ stream: "out", text });
const err = (text: string): Rendered => ({ stream: "err", text });

import { assertNever } from "../base/assert-never.js";
import { positionOf, type Span } from "../base/span.js";
import type { Loss } from "../wire/event.js";
import type { MapSnapshot, Value } from "../wire/value.js";
import { errnoText } from "./errno-text.js";
import type { OutputEvent, Rendered } from "./event.js";
import { orderInSteps } from "./map-order.js";
import { plainStyle, type Style } from "./style.js";
import { divOf } from "./text.js";
import { latestInterval, seriesJson } from "./time-series.js";
import { collectUnnamed, unnamedJson, unnamedMember } from "./unnamed.js";
import { numberJson, stringJson, valueJson } from "./value-json.js";
import { jsonKeyText, keyParts } from "./value-text.js";

/** An event as a line of JSON of bpftrace 0.27's shapes (`-f json`), all on standard output. */
export function renderJson(event: OutputEvent, style: Style = plainStyle): Rendered {
  return { stream: "out", text: lineOf(event, style) };
}

function lineOf(event: OutputEvent, style: Style): string {
  switch (event.kind) {
    case "printf":
    case "time":
    case "cat":
    case "join":
      return `{"type": "${event.kind}", "data": ${stringJson(event.text)}}\n`;
    case "map":
      return [...mapJsonParts(event.map, style)].join("");
    case "system":
      return `{"type": "syscall", "data": ${stringJson(event.text)}}\n`;
    case "value":
    case "entry":
      return `{"type": "value", "data": ${valueJson(event.value, 1n, style.zone)}${unnamedJson([event.value])}}\n`;
    case "end":
    case "exit":
      return "";
    case "pinned":
      return `{"type": "pinned", "data": ${stringJson(event.path)}}\n`;
    case "warnf":
    case "errorf":
      return `{"type": "${event.kind}", "msg": ${stringJson(event.text)}, ${place(event.span)}}\n`;
    case "attached":
      return `{"type": "attached_probes", "count": ${event.probes}, "data": {"probes": ${event.probes}}}\n`;
    case "lost":
      return event.losses.map(lossJson).join("");
    case "warning":
      return `{"type": "warning", "msg": ${stringJson(event.message)}}\n`;
    case "error":
      return `{"type": "error", "msg": ${stringJson(event.message)}}\n`;
    case "helper-error": {
      const { helper, retcode, span } = event;
      const message = stringJson(errnoText(Math.abs(retcode)));
      return `{"type": "helper_error", "msg": ${message}, "helper": ${stringJson(helper)}, "retcode": ${retcode}, ${place(span)}}\n`;
    }
    case "runtime-error":
      return `{"type": "runtime_error", "msg": ${stringJson(event.message)}, ${place(event.span)}}\n`;
    default:
      return assertNever(event);
  }
}

/** Events that did not fit into the ring have bpftrace's shape; it does not know the other losses. */
function lossJson({ reason, subject, count }: Loss): string {
  if (reason === "ring-full") return `{"type": "lost_events", "count": ${count}, "data": {"events": ${count}}}\n`;
  const of = subject === undefined ? "" : `"subject": ${stringJson(subject)}, `;
  return `{"type": "loss", "reason": "${reason}", ${of}"count": ${count}}\n`;
}

/** The line of a map, entry by entry. A map without entries prints nothing, as in text. */
export function* mapJsonParts(map: MapSnapshot, { zone, jsonKeys }: Style = plainStyle): Generator<string> {
  const entries = yield* orderInSteps(map);
  const first = entries[0];
  if (first === undefined) return;
  const div = divOf(map);
  const last = latestInterval(entries);
  const json = (value: Value): string =>
    value.kind === "tseries" ? seriesJson(value, last, numberJson, zone) : valueJson(value, div);
  const names = jsonKeys === "text" && map.keyed && mayBeAlike(first.key) ? new Names() : undefined;
  const entry = ({ key, value }: MapSnapshot["entries"][number]): string => {
    if (jsonKeys === "entries")
      return `{"key": [${keyParts(key).map((part) => valueJson(part))}], "value": ${json(value)}}`;
    const name = jsonKeyText(key);
    names?.add(name);
    return `${stringJson(name)}: ${json(value)}`;
  };
  const [open, close] = !map.keyed ? ["", ""] : jsonKeys === "text" ? ["{", "}"] : ["[", "]"];
  yield `{"type": "${mapType(first.value)}", "data": {${stringJson(map.name)}: ${open}`;
  const unnamed = new Map<string, string>();
  let separator = "";
  for (const each of map.keyed ? entries : [first]) {
    yield map.keyed ? separator + entry(each) : json(each.value);
    separator = ", ";
    for (const part of [...each.key, each.value]) collectUnnamed(part, unnamed);
  }
  yield `${close}}${names?.member() ?? ""}${unnamedMember(unnamed)}}\n`;
}

/** Whether keys that differ may have one text: texts with a comma, stacks of several processes. */
const mayBeAlike = (key: readonly Value[]): boolean =>
  !key.every(({ kind }) => kind === "int" || kind === "bool" || (kind === "string" && key.length === 1));

/** Keys of a map as JSON has them. Of members with one name parsers keep the last: how many are lost in that way is told. */
class Names {
  private readonly names = new Set<string>();
  private count = 0;

  add(name: string): void {
    this.names.add(name);
    this.count++;
  }

  /** A further member of the line; nothing if all names differ. */
  member(): string {
    const same = this.count - this.names.size;
    return same === 0 ? "" : `, "same_names": ${same}`;
  }
}

function mapType(value: Value): "map" | "stats" | "hist" | "tseries" {
  switch (value.kind) {
    case "avg":
    case "stats":
      return "stats";
    case "hist":
    case "lhist":
      return "hist";
    case "tseries":
      return "tseries";
    default:
      return "map";
  }
}

function place(span: Span): string {
  const { line, column } = positionOf(span.source, span.start);
  return `"filename": ${stringJson(span.source.name)}, "line": ${line}, "col": ${column}`;
}

// A Unit as text, for -d unit: what a compiler has made, a line each.

import { positionOf, type Span } from "./base/span.js";
import { configKeys, defaultConfig } from "./language/config.js";
import type { Unit } from "./unit.js";

/** Lines of a Unit: settings that are not the default, maps, programs with what they are attached to, records, texts. */
export function unitText(unit: Unit): string {
  const { object, config } = unit;
  const lines: string[] = [];
  for (const name of Object.keys(configKeys) as (keyof typeof configKeys)[])
    if (config[name] !== defaultConfig[name]) lines.push(`setting ${name} = ${config[name]}`);
  for (const { name, key, value, ...more } of unit.maps.values())
    lines.push(`map ${name} ${plain({ key, value, ...more })}`);
  for (const { name, ...spec } of object.maps) lines.push(`bpf map ${name} ${plain(spec)}`);
  const programs = new Map(unit.programs.map((program) => [program.name, program]));
  for (const { name, code, relocations, functions, spans: _spans, ...spec } of object.programs) {
    const size = `${code.length / 8} instructions, ${functions.length} functions, ${relocations.length} relocations`;
    lines.push(`program ${name}: ${size} ${plain({ ...spec, ...rest(programs.get(name)) })}`);
  }
  for (const [id, { name, span, ...point }] of unit.attachPoints.entries())
    lines.push(`attach point ${id}: ${name} ${plain(point)} at ${placeText(span)}`);
  for (const tracker of unit.trackers) lines.push(`tracker ${plain(tracker)}`);
  for (const [number, record] of unit.records.entries()) lines.push(`record ${number} ${plain(record)}`);
  for (const [index, text] of unit.texts.entries()) lines.push(`text ${index} ${JSON.stringify(text)}`);
  const { userAddresses, userStacks, unwinds } = unit;
  lines.push(`needs ${plain({ userAddresses, userStacks, unwinds })}`);
  return lines.join("\n");
}

/** What is known of a program beside its name; one that is attached by others has no attach points. */
const rest = (program: Unit["programs"][number] | undefined): object => {
  const { name: _name, ...known } = program ?? { name: "" };
  return known;
};

const placeText = (span: Span): string => {
  const { line, column } = positionOf(span.source, span.start);
  return `${line}:${column}`;
};

const isSpan = (value: object): value is Span => "source" in value && "start" in value && "end" in value;

/** Plain data in one line; members that are undefined are left out. */
function plain(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  if (Array.isArray(value)) return `[${value.map(plain).join(", ")}]`;
  if (isSpan(value)) return placeText(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${name}: ${plain(member)}`).join(", ")}}`;
}

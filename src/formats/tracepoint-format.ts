import { FormatError } from "../base/errors.js";

export interface TracepointField {
  /** As the kernel declares it: `char comm[16]`, `__data_loc char[] name`. */
  readonly declaration: string;
  readonly name: string;
  /** As the kernel declares it, without array brackets: `const char *`, `unsigned long`, `pid_t`, `char`. */
  readonly cType: string;
  /** Bytes from the start of the event's record, which begins with the `common_` fields. */
  readonly offset: number;
  /** Bytes in the record; 4 for `data-loc` and `rel-loc`. */
  readonly size: number;
  readonly signed: boolean;
  /**
   * `array`: `size` bytes of elements of `cType` in the record. `data-loc`: a word of offset from the start of the record
   * (low 16 bits) and length in bytes (high 16 bits) of elements of `cType`; `rel-loc`: the same with the offset counted
   * from the end of the word (Documentation/trace/events.rst; __rel_loc since Linux 5.16).
   */
  readonly kind: "scalar" | "array" | "data-loc" | "rel-loc";
  /** Elements of an `array`; undefined if the kernel gives a length that only the C compiler knows. */
  readonly arrayCount?: number;
}

/** What tracefs says of an event in `events/CATEGORY/NAME/format`. */
export interface TracepointFormat {
  readonly name: string;
  readonly id: number;
  /** In the order of the file, which is that of declaration; the common fields come first. */
  readonly fields: readonly TracepointField[];
  /** What follows `print fmt:`. */
  readonly printFmt: string;
}

/** Whether each event has that field (`common_type`, `common_flags`, `common_preempt_count`, `common_pid`). */
export const isCommonField = (field: TracepointField): boolean => field.name.startsWith("common_");

/** Parses a `format` file of tracefs; `kernel/trace/trace_events.c`, f_show(), Linux 6.12. */
export function parseTracepointFormat(text: string): TracepointFormat {
  let name: string | undefined;
  let id: number | undefined;
  let printFmt = "";
  const fields: TracepointField[] = [];
  const lines = text.split("\n");
  for (const [i, line] of lines.entries()) {
    if (line.startsWith("name: ")) name ??= line.slice(6).trim();
    else if (line.startsWith("ID: ")) id ??= integer(line.slice(4).trim(), line);
    else if (line.startsWith("\tfield:")) fields.push(parseField(line));
    else if (line.startsWith("print fmt: ")) {
      // It is the last thing in the file and may contain line breaks.
      printFmt = lines.slice(i).join("\n").slice(11).trimEnd();
      break;
    }
  }
  if (name === undefined || id === undefined) throw new FormatError("tracepoint format: it has no name or no ID line");
  return { name, id, fields, printFmt };
}

function parseField(line: string): TracepointField {
  // The declaration ends at the first `;`: C types have none.
  const parts = line.trim().split(";");
  const declaration = (parts[0] ?? "").slice("field:".length).trim();
  const offset = property(parts, "offset", line);
  const size = property(parts, "size", line);
  const signed = property(parts, "signed", line, 0) !== 0;

  const dynamic = /^__(data|rel)_loc\s+(.*)$/s.exec(declaration);
  if (dynamic !== null) {
    // `__data_loc char[] name`: brackets stand before the name here.
    const { type, name } = splitName((dynamic[2] ?? "").replace(/\[[^\]]*\]/g, " "), line);
    const kind = dynamic[1] === "data" ? "data-loc" : "rel-loc";
    return { declaration, name, cType: type, offset, size, signed, kind };
  }
  const bracket = declaration.indexOf("[");
  if (bracket < 0) {
    const { type, name } = splitName(declaration, line);
    return { declaration, name, cType: type, offset, size, signed, kind: "scalar" };
  }
  const { type, name } = splitName(declaration.slice(0, bracket), line);
  const count = arrayCount(declaration.slice(bracket), type, size);
  return {
    declaration,
    name,
    cType: type,
    offset,
    size,
    signed,
    kind: "array",
    ...(count === undefined ? {} : { arrayCount: count }),
  };
}

function splitName(declaration: string, line: string): { type: string; name: string } {
  const match = /^(.*[^\w$])([\w$]+)\s*$/s.exec(declaration);
  const type = match?.[1]?.trim().replace(/\s+/g, " ");
  const name = match?.[2];
  if (!type || name === undefined) throw new FormatError(`tracepoint format: no type and name in '${line.trim()}'`);
  return { type, name };
}

/** Numbers in all brackets, multiplied; where one is an expression (`[sizeof(struct x)]`), by the size of the element. */
function arrayCount(brackets: string, type: string, size: number): number | undefined {
  let count = 1;
  for (const match of brackets.matchAll(/\[([^\]]*)\]/g)) {
    const text = (match[1] ?? "").trim();
    if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) {
      const element = elementSizes.get(type);
      return element === undefined ? undefined : Math.floor(size / element);
    }
    count *= Number(text);
  }
  return Number.isSafeInteger(count) ? count : undefined;
}

const elementSizes: ReadonlyMap<string, number> = new Map([
  ["char", 1],
  ["signed char", 1],
  ["unsigned char", 1],
  ["u8", 1],
  ["__u8", 1],
  ["s8", 1],
  ["uint8_t", 1],
  ["u16", 2],
  ["__u16", 2],
  ["__be16", 2],
  ["short", 2],
  ["unsigned short", 2],
  ["u32", 4],
  ["__u32", 4],
  ["__be32", 4],
  ["int", 4],
  ["unsigned int", 4],
  ["u64", 8],
  ["__u64", 8],
  ["__be64", 8],
  ["long", 8],
  ["unsigned long", 8],
]);

function property(parts: readonly string[], key: string, line: string, fallback?: number): number {
  for (const part of parts) {
    const text = part.trim();
    if (text.startsWith(`${key}:`)) return integer(text.slice(key.length + 1).trim(), line);
  }
  if (fallback !== undefined) return fallback;
  throw new FormatError(`tracepoint format: no ${key} in '${line.trim()}'`);
}

function integer(text: string, line: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new FormatError(`tracepoint format: '${text}' is no number in '${line.trim()}'`);
  return Number(text);
}

import { FormatError } from "../base/errors.js";

export interface TraceableFunction {
  readonly name: string;
  readonly module: string;
  readonly address: bigint | undefined;
}

/** Functions whose names were lost are listed as this and a number: kernel/trace/ftrace.c, t_show(), since v5.18. */
const lostName = "__ftrace_invalid_address___";

/**
 * Lines of tracefs's available_filter_functions, `name` or `name [module]`, or of available_filter_functions_addrs, which
 * have the address in hexadecimal digits in front. A function without a module is in `vmlinux`.
 */
export function* parseTraceableFunctions(bytes: Uint8Array): Generator<TraceableFunction> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  let at = 0;
  while (at < text.length) {
    const newline = text.indexOf("\n", at);
    const end = newline < 0 ? text.length : newline;
    if (end > at) {
      const fn = parseLine(text.slice(at, end));
      if (!fn.name.startsWith(lostName)) yield fn;
    }
    at = end + 1;
  }
}

function parseLine(line: string): TraceableFunction {
  // A name that begins with 16 digits and a blank would be an address; names of C functions have no blanks.
  const hasAddress = line[16] === " " && /^[0-9a-f]{16}/.test(line);
  const address = hasAddress ? BigInt(`0x${line.slice(0, 16)}`) : undefined;
  const start = hasAddress ? 17 : 0;
  const bracket = line.indexOf(" [", start);
  const name = line.slice(start, bracket < 0 ? line.length : bracket).trimEnd();
  if (name === "" || name.includes(" ")) throw new FormatError(`functions: '${line}' has no name`);
  if (bracket < 0) return { name, module: "vmlinux", address };
  const close = line.lastIndexOf("]");
  if (close < bracket) throw new FormatError(`functions: '${line}' has no end of its module`);
  return { name, module: line.slice(bracket + 2, close), address };
}

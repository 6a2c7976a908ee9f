import { decodeBytes, encodeBytes } from "../base/byte-text.js";
import type { Frame, Value } from "../wire/value.js";

type StackValue = Extract<Value, { kind: "stack" }>;

/**
 * A stack as bpftrace 0.27 prints it everywhere (map keys, map values, printf): a line break, then a line per frame.
 *
 *   bpftrace   `        getppid+7`, with debugging information `        main+25@/src/main.c:7`; in front of a function
 *              the ones that were inlined into it, `        [inlined] twice@/src/main.c:3`
 *   perf       `\t7fb46e7164f7 getppid+7 (/usr/lib/x86_64-linux-gnu/libc.so.6)`, kernel frames without the module; in front
 *              of it `\t7fb46e7164f7 twice (inlined)`
 *   raw        `7fb46e7164f7`
 *   build_id   `37ca99d8f6b9c8ba4f1b9a5a4d5e3c9f7c1f52a1 0x1164f7`, or as raw where the file has no build id
 *
 * What has no name is its address: `0x55b893545170`, `0`, in perf mode followed by `([unknown])` or by the file that it lies in.
 */
export function stackText(stack: StackValue): string {
  return renderStack(stack, "        ");
}

/** The same without indentation, for JSON object names. */
export function stackKeyText(stack: StackValue): string {
  return renderStack(stack, "");
}

function renderStack(stack: StackValue, indent: string): string {
  const { shown, mode, user } = stack;
  if (shown === undefined) return makeText(stack, indent);
  const form = `${mode} ${user} ${indent}`;
  if (shown.text === undefined || shown.form !== form) {
    // In one piece: put together of many, it would keep each of them in memory.
    shown.text = decodeBytes(encodeBytes(makeText(stack, indent)));
    shown.form = form;
  }
  return shown.text;
}

function makeText(stack: StackValue, indent: string): string {
  let text = "\n";
  const { frames } = stack;
  for (const frame of frames) {
    for (const inlined of frame.inlined ?? []) text += inlinedText(inlined, frame, stack, indent);
    text += `${frameText(frame, stack, indent)}\n`;
  }
  if (frames.length === 0 && stack.missing !== undefined) text += `${indent}<${stack.missing}>\n`;
  return text;
}

function inlinedText(
  { symbol, source }: { readonly symbol: string; readonly source?: string },
  { address }: Frame,
  { mode }: StackValue,
  indent: string,
): string {
  if (mode === "perf") return `\t${BigInt.asUintN(64, address).toString(16)} ${symbol} (inlined)\n`;
  return mode === "bpftrace" ? `${indent}[inlined] ${symbol}${at(source)}\n` : "";
}

const at = (source: string | undefined): string => (source === undefined ? "" : `@${source}`);

function frameText(frame: Frame, stack: StackValue, indent: string): string {
  const address = BigInt.asUintN(64, frame.address).toString(16);
  switch (stack.mode) {
    case "raw":
      return address;
    case "build_id":
      return frame.symbol === undefined ? address : `${frame.symbol} 0x${frame.offset.toString(16).padStart(2, "0")}`;
    case "bpftrace":
      return indent + nameText(frame, address) + at(frame.source);
    case "perf": {
      const place = stack.user ? ` (${frame.module ?? "[unknown]"})` : "";
      return `\t${address} ${nameText(frame, address)}${place}`;
    }
  }
}

function nameText(frame: Frame, address: string): string {
  if (frame.address === 0n) return "0";
  return frame.symbol === undefined ? `0x${address}` : `${frame.symbol}+${frame.offset}`;
}

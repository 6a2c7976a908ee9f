// What this process was started with, byte for byte: Node.js reads it as UTF-8, with U+FFFD for what is none.
import { readFileSync } from "node:fs";
import { decodeBytes } from "../base/byte-text.js";

const replacement = "\ufffd";

/** As process.argv. To be asked before process.title is set, which is written over the words. */
export function ownArguments(): readonly string[] {
  if (!process.argv.some((word) => word.includes(replacement))) return process.argv;
  const words = wordsOf("/proc/self/cmdline");
  // In front of them are those that Node.js has taken for itself, whose number is all that is known of them.
  const own = process.argv.length - 2;
  return [...process.argv.slice(0, 2), ...words.slice(words.length - own)];
}

/** `NAME=value` of each variable. */
export function ownEnvironment(): readonly string[] {
  const entries = Object.entries(process.env).map(([name, value = ""]) => `${name}=${value}`);
  return entries.some((entry) => entry.includes(replacement)) ? wordsOf("/proc/self/environ") : entries;
}

/** The value of a variable. */
export function ownVariable(name: string): string | undefined {
  const value = process.env[name];
  if (value?.includes(replacement) !== true) return value;
  return wordsOf("/proc/self/environ")
    .find((entry) => entry.startsWith(`${name}=`))
    ?.slice(name.length + 1);
}

function wordsOf(file: string): readonly string[] {
  const text = decodeBytes(readFileSync(file));
  return text === "" ? [] : text.replace(/\0$/, "").split("\0");
}

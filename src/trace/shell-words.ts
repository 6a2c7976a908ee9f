import { encodeBytes } from "../base/byte-text.js";

/** What a shell's printf makes the bytes of a text of. */
const octal = (text: string): string =>
  Array.from(encodeBytes(text), (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");

/** A statement that puts a text into a variable; the x keeps line ends at its end. */
const assigned = (name: string, text: string): string => `${name}=$(printf '${octal(text)}x'); ${name}=\${${name}%x}; `;

const isPlain = (text: string): boolean => text.isWellFormed();

/** Variables of an environment that cannot be handed on as UTF-8. */
const exports = (environment: readonly string[]): string =>
  environment
    .filter((entry) => !isPlain(entry) && /^\w+=/.test(entry))
    .map((entry) => {
      const [name = ""] = entry.split("=", 1);
      return `${assigned(name, entry.slice(name.length + 1))}export ${name}; `;
    })
    .join("");

/**
 * A command for `sh -c` that does what `command` does. Node.js hands UTF-8 on to the programs that it starts and nothing else: bytes
 * that are none go as octal numbers, for the shell to put together.
 */
export function shellCommand(command: string, environment: readonly string[]): string {
  const body = isPlain(command) ? command : `eval "$(printf '${octal(command)}')"`;
  return exports(environment) + body;
}

/** What stands in front of a shell's script for it to have these words as its parameters; empty if it can be given them as they are. */
export function shellParameters(words: readonly string[], environment: readonly string[]): string {
  if (words.every(isPlain)) return exports(environment);
  const parameters = words.map((word) => `${assigned("word", word)}set -- "$@" "$word"; `).join("");
  return `${exports(environment)}set --; ${parameters}`;
}

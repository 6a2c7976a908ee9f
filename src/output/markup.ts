import { byteOf } from "../base/byte-text.js";

/** Foreign text in HTML, SVG and scripts. All that comes from outside goes through one of these on its way into a page. */

/** What would be invisible, would turn the direction of the text around it, or cannot be in XML at all. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Cn}]/gu;

/** Text on one line, in which all can be seen that it has: `\x1b`, `\u202e`, and `\xff` for a byte that is no UTF-8. */
export const visibleText = (text: string): string =>
  text.replace(invisible, (character) => {
    const number = character.codePointAt(0) ?? 0;
    const byte = byteOf(number) ?? number;
    // U+0085 is two bytes, not the byte 85.
    if (byte < 0x80 || byte !== number) return `\\x${byte.toString(16).padStart(2, "0")}`;
    const code = number.toString(16);
    return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\u{${code}}`;
  });

/** The same of several lines, with tabs. */
export const visibleLines = (text: string): string => text.replace(/[^\n\t]+/g, (piece) => visibleText(piece));

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as content, or between quotes, of an element of HTML or XML. */
export const escaped = (text: string): string =>
  visibleLines(text).replace(/[&<>"']/g, (character) => entities[character] ?? "");

/** JSON in plain ASCII without what ends a script in HTML, CDATA or a comment; parses to the same value. */
export const embeddedJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<>&\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/**
 * Text whose bytes are all kept. What is UTF-8 becomes its characters; each byte that is no part of valid UTF-8 becomes a lone
 * surrogate, U+DC80 for 80 to U+DCFF for FF, which UTF-8 has no bytes for: no two texts of bytes are the same string. (Python
 * does so with names of files, PEP 383.) Whatever leaves the program as bytes goes through {@link encodeBytes}, never through
 * TextEncoder or Buffer.from(), which write U+FFFD in the place of such bytes.
 */

const replacement = "\ufffd";
/** Added to a byte of 80 to FF. */
const firstLone = 0xdc00;

/** The string of one byte. */
export const byteText = (byte: number): string => String.fromCharCode(byte < 0x80 ? byte : firstLone + byte);

/** Of a lone surrogate: the byte it stands for; undefined for all else. */
export const byteOf = (unit: number): number | undefined =>
  unit >= firstLone + 0x80 && unit <= firstLone + 0xff ? unit - firstLone : undefined;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

export function decodeBytes(bytes: Uint8Array): string {
  const text = utf8.decode(bytes);
  // What has none was valid; what has one may have it in its bytes.
  return text.includes(replacement) ? decodeEach(bytes) : text;
}

export function encodeBytes(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const bytes = Buffer.alloc(3 * text.length);
  return bytes.subarray(0, writeBytes(text, bytes, 0));
}

/** Writes the bytes of a text, which may have three for each of its units, and answers how many they are. */
export function writeBytes(text: string, to: Buffer, at: number): number {
  if (text.isWellFormed()) return to.write(text, at);
  let length = 0;
  let start = 0;
  const flush = (end: number): void => {
    if (end > start) length += to.write(text.slice(start, end), at + length);
  };
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const byte = isHigh(text.charCodeAt(i - 1)) ? undefined : byteOf(unit);
    if (byte === undefined) continue;
    flush(i);
    to[at + length++] = byte;
    start = i + 1;
  }
  flush(text.length);
  return length;
}

/** Texts up to here are looked at by a loop, which takes less time than a call. */
const short = 64;

/** Whether the first `length` units of a text are ASCII. */
function beginsAscii(text: string, length: number): boolean {
  if (length > short) return false;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) >= 0x80) return false;
  return true;
}

/** How many bytes a text has. */
export function bytesIn(text: string): number {
  if (beginsAscii(text, text.length)) return text.length;
  return text.isWellFormed() ? Buffer.byteLength(text) : encodeBytes(text).length;
}

/** Bytes that came together from several texts may be a character now. */
export const joinedBytes = (text: string): string => (text.isWellFormed() ? text : decodeBytes(encodeBytes(text)));

/** The bytes of a text from `start` to before `end`. */
export function sliceBytes(text: string, start: number, end = Number.MAX_SAFE_INTEGER): string {
  if (beginsAscii(text, Math.min(end, text.length))) return text.slice(start, end);
  return decodeBytes(encodeBytes(text).subarray(start, end));
}

/** For the functions of Node.js that take the name of a file as text or as bytes. */
export const pathOf = (text: string): string | Buffer => (text.isWellFormed() ? text : encodeBytes(text));

/** Ascending as the bytes are, which is not the order of strings where surrogates are among them. */
export function compareBytes(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    if (x < 0x80 || y < 0x80) return x - y;
    return Buffer.compare(encodeBytes(a), encodeBytes(b));
  }
  return a.length - b.length;
}

/** A text in which each byte that is no UTF-8 has been replaced. */
export function replaceBytes(text: string, shown: (byte: number) => string): string {
  if (text.isWellFormed()) return text;
  let result = "";
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = isHigh(text.charCodeAt(i - 1)) ? undefined : byteOf(text.charCodeAt(i));
    if (byte === undefined) continue;
    result += text.slice(start, i) + shown(byte);
    start = i + 1;
  }
  return result + text.slice(start);
}

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function decodeEach(bytes: Uint8Array): string {
  const buffer = asBuffer(bytes);
  let text = "";
  let valid = 0;
  let at = 0;
  while (at < buffer.length) {
    const length = characterAt(buffer, at);
    if (length > 0) {
      at += length;
      continue;
    }
    text += buffer.toString("utf8", valid, at) + byteText(buffer[at] ?? 0);
    valid = ++at;
  }
  return text + buffer.toString("utf8", valid);
}

/** Bytes of the character at `at`; 0 if there is none (The Unicode Standard, table 3-7: well-formed UTF-8). */
function characterAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const second = bytes[at + 1] ?? 0;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let i = 2; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

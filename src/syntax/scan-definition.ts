/**
 * Where the C definition that begins at `from` ends, in a script: behind the `;`, or behind the closing brace and its
 * attributes, since bpftrace lets the semicolon be left out. Undefined if it has no end.
 */
export function endOfDefinition(text: string, from: number, typedef: boolean): number | undefined {
  let depth = 0;
  for (let at = from; at < text.length; ) {
    const c = text[at];
    const blank = endOfBlank(text, at);
    if (blank > at) {
      at = blank;
      continue;
    }
    if (c === '"' || c === "'") at = endOfLiteral(text, at);
    else at++;
    if (c === "{" || c === "(" || c === "[") depth++;
    else if (c === ")" || c === "]") depth--;
    else if (c === "}") {
      depth--;
      if (depth === 0 && !typedef) return endOfAttributes(text, at);
    } else if (c === ";" && depth === 0) return at;
    if (depth < 0) return undefined;
  }
  return undefined;
}

/** Where a preprocessor line ends, with the lines that a backslash or a comment at its end adds. */
export function endOfDirective(text: string, from: number): number {
  for (let at = from; at < text.length; ) {
    const c = text[at];
    if (c === "\n") return at;
    if (c === "\\") at += text[at + 1] === "\r" ? 3 : 2;
    else if (c === '"') at = Math.min(endOfLiteral(text, at), lineEnd(text, at));
    else if (c === "/" && text[at + 1] === "*") at = endOfBlank(text, at);
    else at++;
  }
  return text.length;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end < 0 ? text.length : end;
}

/** Behind attributes, a semicolon, and what lies between. */
function endOfAttributes(text: string, from: number): number {
  let end = from;
  for (;;) {
    let at = skipBlank(text, end);
    const word = /^__attribute(?:__)?(?![A-Za-z0-9_])/.exec(text.slice(at, at + 20))?.[0];
    if (word === undefined) return text[at] === ";" ? at + 1 : end;
    at = skipBlank(text, at + word.length);
    if (text[at] !== "(") return end;
    let depth = 0;
    do {
      if (text[at] === "(") depth++;
      else if (text[at] === ")") depth--;
      at++;
    } while (depth > 0 && at < text.length);
    end = at;
  }
}

function skipBlank(text: string, from: number): number {
  let at = from;
  for (let next = endOfBlank(text, at); next > at; next = endOfBlank(text, at)) at = next;
  return at;
}

/** Behind one blank or comment; `at` itself if there is none. */
function endOfBlank(text: string, at: number): number {
  const c = text[at];
  if (c === " " || c === "\t" || c === "\n" || c === "\r" || c === "\f" || c === "\v") return at + 1;
  if (c !== "/") return at;
  if (text[at + 1] === "/") {
    const end = text.indexOf("\n", at);
    return end < 0 ? text.length : end;
  }
  if (text[at + 1] !== "*") return at;
  const end = text.indexOf("*/", at + 2);
  return end < 0 ? text.length : end + 2;
}

function endOfLiteral(text: string, from: number): number {
  const quote = text[from];
  let at = from + 1;
  while (at < text.length && text[at] !== quote && text[at] !== "\n") at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

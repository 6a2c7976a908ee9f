/** The text is no mangled name, or beyond this demangler; ends at demangle(). */
export class NotMangled extends Error {}

/** A type or name as C++ writes it around what is declared: `void (*` and `)(int)`. */
export interface Node {
  readonly left: string;
  readonly right: string;
  /** A function or array type: a pointer to it needs parentheses. */
  readonly wraps?: "function" | "array";
  /** A template parameter pack. */
  readonly pack?: readonly Node[];
  /** `&` or `&&` at the end, for reference collapsing. */
  readonly reference?: "&" | "&&";
  /** Ends in template arguments: a function of it has its return type in front. */
  readonly template?: boolean;
  /** Constructors, destructors and conversions have no return type. */
  readonly noReturn?: boolean;
  /** What comes behind the parameters of a member function: ` const`, ` &`. */
  readonly suffix?: string;
}

export const plain = (text: string): Node => ({ left: text, right: "" });
export const textOf = (node: Node): string => node.left + node.right;

export function pointerTo(node: Node, mark: string): Node {
  if (node.pack !== undefined) throw new NotMangled();
  if (node.wraps === undefined) {
    const gap = mark === "*" ? "" : " ";
    return { left: node.left + gap + mark, right: node.right };
  }
  const left = node.left + (node.left.endsWith(" ") || node.left.endsWith("(") ? "" : " ");
  const right = node.wraps === "array" ? `)${node.right}` : `)${node.right}`;
  return { left: `${left}(${mark}`, right };
}

/** A reference to a reference is one reference, `&` wins. */
export function referenceTo(node: Node, mark: "&" | "&&"): Node {
  if (node.reference !== undefined) {
    if (mark === "&&" || node.reference === "&") return node;
    return { ...node, left: node.left.slice(0, -1), reference: "&" };
  }
  return {
    ...pointerTo(node, mark === "&" ? "&" : "&&"),
    left: fixGap(pointerTo(node, mark).left, mark),
    reference: mark,
  };
}

/** `&` has no blank before it, unlike `X::*`. */
function fixGap(left: string, mark: string): string {
  return left.endsWith(` ${mark}`) && !left.endsWith(`(${mark}`) ? left.slice(0, -mark.length - 1) + mark : left;
}

/** Qualifiers go behind what they qualify: `char const*`. */
export function appended(node: Node, text: string): Node {
  if (text === "") return node;
  if (node.wraps === "function") return { ...node, right: node.right + text };
  if (node.left.endsWith(text)) return node;
  return { ...node, left: node.left + text };
}

/** The last part of a qualified name without its template arguments and ABI tags. */
export function lastPart(tagged: string): string {
  const name = tagged.replace(/(?:\[abi:\w+\])+$/, "");
  let depth = 0;
  let end = name.length;
  for (let i = name.length - 1; i >= 0; i--) {
    const letter = name[i];
    if (letter === ">" || letter === ")" || letter === "}") depth++;
    else if (letter === "<" || letter === "(" || letter === "{") {
      depth--;
      if (depth === 0 && letter === "<") end = i;
    } else if (letter === ":" && depth === 0) return name.slice(i + 1, end);
  }
  return name.slice(0, end);
}

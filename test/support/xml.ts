// As much of XML 1.0 as shows that a file is well-formed.

export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: (XmlElement | string)[];
}

const token =
  /<!\[CDATA\[(?<cdata>.*?)\]\]>|<\?.*?\?>|<\/(?<end>[\w:-]+)\s*>|<(?<start>[\w:-]+)(?<rest>(?:\s+[\w:-]+=(?:"[^"<]*"|'[^'<]*'))*)\s*(?<empty>\/?)>|(?<text>[^<]+)/gsy;
const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

/** Parses a document; throws where it is not well-formed. */
export function parseXml(text: string): XmlElement {
  const bad = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.exec(text);
  if (bad !== null) throw new Error(`character U+${bad[0].codePointAt(0)?.toString(16)} at ${bad.index}`);
  const root: XmlElement = { name: "", attributes: new Map(), children: [] };
  const path = [root];
  let at = 0;
  while (at < text.length) {
    token.lastIndex = at;
    const match = token.exec(text);
    if (match === null) throw new Error(`not XML: ${text.slice(at, at + 80)}`);
    at = token.lastIndex;
    const { cdata, end, start, rest = "", empty, text: plain } = match.groups ?? {};
    const top = path.at(-1)!;
    if (cdata !== undefined) top.children.push(cdata);
    else if (plain !== undefined) top.children.push(resolved(plain));
    else if (end !== undefined) {
      if (end !== top.name) throw new Error(`</${end}> ends <${top.name}>`);
      path.pop();
    } else if (start !== undefined) {
      const attributes = new Map<string, string>();
      for (const [, name = "", value = ""] of rest.matchAll(/([\w:-]+)=("[^"]*"|'[^']*')/g)) {
        if (attributes.has(name)) throw new Error(`${name} twice in <${start}>`);
        attributes.set(name, resolved(value.slice(1, -1)));
      }
      const element = { name: start, attributes, children: [] };
      top.children.push(element);
      if (empty === "") path.push(element);
    }
  }
  const [only, ...others] = root.children.filter((child): child is XmlElement => typeof child !== "string");
  if (path.length > 1) throw new Error(`<${path.at(-1)!.name}> is not ended`);
  if (only === undefined || others.length > 0) throw new Error("not one root");
  return only;
}

function resolved(text: string): string {
  if (text.includes("]]>")) throw new Error("]]> in text");
  return text.replace(/&([^;]*);?/g, (_, name: string) => {
    const character = entities[name];
    if (character === undefined) throw new Error(`entity &${name}`);
    return character;
  });
}

export function* elements(root: XmlElement, name: string): Generator<XmlElement> {
  for (const child of root.children) {
    if (typeof child === "string") continue;
    if (child.name === name) yield child;
    yield* elements(child, name);
  }
}

export const textOf = (element: XmlElement): string =>
  element.children.map((child) => (typeof child === "string" ? child : textOf(child))).join("");

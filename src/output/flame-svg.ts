import { embeddedGraph, type FlameGraph } from "./flame-graph.js";
import {
  amountText,
  columnWidth,
  type FlameBox,
  flameBoxes,
  fontSize,
  levelsOf,
  margin,
  percentText,
  rowHeight,
  shortened,
  weightText,
} from "./flame-layout.js";
import { type FlameTree, presentKinds } from "./flame-tree.js";
import { frameClass, frameColour, kindColour, kindNames } from "./frame-look.js";
import { flameFileScript } from "./generated/page-scripts.js";
import { embeddedJson, escaped, visibleText } from "./markup.js";
import { fixedFont, flameStyle, textFont } from "./page-style.js";

const width = 1200;
/** What is less than 0.1 % wide is in the data, but not in the picture without a script. */
const leastWidth = (width - 2 * margin) / 1000;

/** A page's words about a graph. */
export interface FlameFile {
  /** The name of the script, or the script itself. */
  readonly title: string;
  /** Name and version of the program. */
  readonly generator: string;
}

/**
 * One SVG file with the flame graphs of all maps. Opened in a browser it can be zoomed and searched, and the map chosen;
 * without a script it is a picture of the first map.
 */
export function flameSvg(graphs: readonly FlameGraph[], { title, generator }: FlameFile): string {
  const [first] = graphs;
  if (first === undefined) throw new Error("internal: a flame graph of no map");
  const others = graphs.slice(1).map(({ name }) => name);
  const more = others.length === 0 ? [] : [`Open this file in a browser to see ${others.join(", ")}, too.`];
  const boxes = flameBoxes(first.tree, 0, width - 2 * margin, leastWidth);
  const head = headOf(first, visibleText(title), [...more, ...first.notes]);
  const height = head.height + levelsOf(boxes) * rowHeight + margin;
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" class="beetrace" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<title>${escaped(visibleText(`${first.name} of ${title}`))}</title>
<desc>${escaped(generator)}</desc>
<style><![CDATA[
${flameStyle}
]]></style>
<rect class="paper" width="100%" height="100%" fill="#fff"/>
<g id="head" font-family='${textFont}' font-size="13">
${head.markup}</g>
<g id="frames" transform="translate(${margin} ${head.height})" font-family='${fixedFont}' font-size="${fontSize}">
${staticBoxes(first, boxes)}</g>
<script type="application/json" id="graphs"><![CDATA[${embeddedJson({ title: visibleText(title), graphs: graphs.map(embeddedGraph) })}]]></script>
<script><![CDATA[
${flameFileScript}]]></script>
</svg>
`;
}

const lineHeight = 19;

function headOf(
  graph: FlameGraph,
  title: string,
  notes: readonly string[],
): { readonly markup: string; readonly height: number } {
  const lines: string[] = [];
  const text = (y: number, content: string, look: string): void => {
    lines.push(`<text x="${margin}" y="${y}" ${look}>${escaped(content)}</text>\n`);
  };
  const columns = Math.floor((width - 2 * margin) / 7.6);
  text(
    24,
    shortened(`${graph.name} — ${title.replaceAll(/\\x0a\s*/g, " ")}`, columns),
    'class="ink" fill="#1b1f24" font-size="15" font-weight="600"',
  );
  text(24 + lineHeight, graph.summary, 'class="soft" fill="#59636e"');
  let y = 24 + 2 * lineHeight;
  for (const note of notes) {
    for (const line of wrapped(note, columns)) {
      text(y, line, 'fill="#a05a00"');
      y += lineHeight;
    }
  }
  let x = margin;
  for (const kind of presentKinds(graph.tree)) {
    const name = kindNames[kind];
    lines.push(
      `<g class="f k-${kind} s1"><rect x="${x}" y="${y - 10}" width="11" height="11" rx="2" fill="${kindColour(kind)}"/></g>`,
    );
    lines.push(`<text class="soft" x="${x + 16}" y="${y}" fill="#59636e">${escaped(name)}</text>\n`);
    x += 16 + 7.6 * name.length + 18;
  }
  return { markup: lines.join(""), height: y + 12 };
}

/** Lines of at most so many columns, broken at blanks. */
function wrapped(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line].map((each) => shortened(each, columns));
}

/** The boxes as they are without a script: root below, each with its numbers as a tooltip. */
export function staticBoxes({ tree, noun }: FlameGraph, boxes: readonly FlameBox[]): string {
  const levels = levelsOf(boxes);
  return boxes.map((box) => staticBox(tree, noun, box, (levels - 1 - box.depth) * rowHeight)).join("");
}

function staticBox(tree: FlameTree, noun: string, box: FlameBox, y: number): string {
  const { node, count, x, width: wide } = box;
  const place = `x="${x.toFixed(2)}" y="${y}" width="${Math.max(wide - 0.5, 0.2).toFixed(2)}" height="${rowHeight - 1}"`;
  const frame = tree.frames[tree.frame[node] ?? 0];
  if (frame === undefined) throw new Error("internal: a node without a frame");
  if (count > 1)
    return `<g class="f narrow"><title>${count} narrow frames</title><rect ${place} fill="#b9bec4"/></g>\n`;
  const total = tree.total[node] ?? 0;
  const title = `${frame.name}: ${amountText(weightText(total), noun)} (${percentText(total, tree.total[0] ?? 0)})`;
  const shown = shortened(frame.name, Math.floor((wide - 6) / columnWidth));
  const label =
    shown === "" ? "" : `<text x="${(x + 3).toFixed(2)}" y="${y + 12}" fill="#1b1f24">${escaped(shown)}</text>`;
  return `<g class="f ${frameClass(frame)}"><title>${escaped(title)}</title><rect ${place} fill="${frameColour(frame)}"/>${label}</g>\n`;
}

/** The frames alone, for a page that has everything else. Their height is in the picture. */
export function staticFrames(graph: FlameGraph): string {
  const boxes = flameBoxes(graph.tree, 0, width, leastWidth);
  const height = levelsOf(boxes) * rowHeight;
  return `<svg class="frames" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="100%" font-family='${fixedFont}' font-size="${fontSize}">
${staticBoxes(graph, boxes)}</svg>`;
}

import type { TimeZone } from "../formats/time-zone.js";
import type { MapSnapshot, Value } from "../wire/value.js";
import { embeddedGraph, flameGraph } from "./flame-graph.js";
import { groupedText } from "./flame-layout.js";
import { staticFrames } from "./flame-svg.js";
import { presentKinds } from "./flame-tree.js";
import { kindNames } from "./frame-look.js";
import { reportScript } from "./generated/page-scripts.js";
import { embeddedJson, escaped, visibleText } from "./markup.js";
import { flameStyle } from "./page-style.js";
import { histogramCharts, seriesCharts } from "./report-charts.js";
import { reportStyle } from "./report-style.js";
import { mapTable, printsTable, scalarTable } from "./report-tables.js";
import { stackSamples } from "./stack-samples.js";

/** Everything that a trace had to say. */
export interface Report {
  /** Name of the script. */
  readonly title: string;
  /** Its text. */
  readonly script: string;
  /** Name and version of the program. */
  readonly generator: string;
  /** When and where: `2026-11-21 10:26:14, Linux 6.12`. */
  readonly about: string;
  /** In the order in which they were first printed. */
  readonly maps: readonly PrintedMap[];
  /** What the script printed otherwise. */
  readonly text: string;
  /** What is wrong or missing, the worst first; each may have several lines. */
  readonly notices: readonly Notice[];
  /** Of the moments of time series. */
  readonly zone: TimeZone;
}

export interface PrintedMap {
  /** What it was at each time that it was printed, without the times at which it was empty. */
  readonly prints: readonly MapSnapshot[];
  /** How many prints in front of these were forgotten. */
  readonly forgotten: number;
}

export interface Notice {
  readonly severity: "lost" | "error" | "warning";
  readonly text: string;
}

interface Section {
  readonly title: string;
  readonly markup: string;
}

/** A page that has all of it: flame graphs, charts, tables and text, and needs nothing from elsewhere. */
export function reportHtml(report: Report): string {
  const title = visibleText(report.title);
  const sections = sectionsOf(report);
  const links = sections.map((section, i) => `<a href="#s${i}">${escaped(section.title)}</a>`);
  const nav = sections.length > 1 ? `<nav>${links.join("")}</nav>` : "";
  const parts = sections.map((section, i) => `<div class="part" id="s${i}">${section.markup}</div>`);
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="generator" content="${escaped(report.generator)}">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${escaped(title)}</title>
<style>
${flameStyle}
${reportStyle}
</style>
</head>
<body>
<header>
<h1>${escaped(title)}</h1>
<p class="about">${escaped(report.about)} · ${escaped(report.generator)}</p>
<details class="script"><summary>Script</summary><pre>${escaped(report.script)}</pre></details>
${nav}
</header>
<main>
${noticeList(report.notices)}
${parts.join("\n")}
${sections.length === 0 ? "<p>The script printed nothing and has no map with entries.</p>" : ""}
</main>
<script>
${reportScript}</script>
</body>
</html>
`;
}

/** That nothing is missing is worth saying, too. */
function noticeList(notices: readonly Notice[]): string {
  if (notices.length === 0) return '<p class="complete">Nothing was lost, and there were no warnings.</p>';
  const items = notices.map(({ severity, text }) => {
    // Messages with lines of the script point into them.
    const code = text.includes("\n") ? " code" : "";
    return `<li class="${severity}${code}">${escaped(text)}</li>`;
  });
  return `<ul class="notices" role="alert">${items.join("\n")}</ul>`;
}

function sectionsOf({ maps, text, zone }: Report): readonly Section[] {
  const flames: Section[] = [];
  const others: Section[] = [];
  const scalars: MapSnapshot[] = [];
  for (const map of maps) {
    const last = map.prints.at(-1);
    if (last === undefined) continue;
    const kind = showOf(last);
    if (kind === "scalar" && map.prints.length === 1) scalars.push(last);
    else (kind === "flame" ? flames : others).push({ title: last.name, markup: mapSection(map, last, zone) });
  }
  if (scalars.length > 0)
    others.push({ title: "values", markup: `<section><h2>Values</h2>${scalarTable(scalars)}</section>` });
  const printed =
    text === ""
      ? []
      : [{ title: "text", markup: `<section><h2>Text</h2><pre class="text">${escaped(text)}</pre></section>` }];
  return [...flames, ...others, ...printed];
}

type Show = "flame" | "histogram" | "series" | "scalar" | "table";

function showOf(map: MapSnapshot): Show {
  const samples = stackSamples(map);
  if (samples !== undefined && samples.samples.length > 0) return "flame";
  const kinds = new Set<Value["kind"]>(map.entries.map(({ value }) => value.kind));
  if (kinds.has("hist") || kinds.has("lhist")) return "histogram";
  if (kinds.has("tseries")) return "series";
  return map.keyed ? "table" : "scalar";
}

function mapSection({ prints, forgotten }: PrintedMap, last: MapSnapshot, zone: TimeZone): string {
  const gone =
    forgotten === 0 ? "" : `<p class="notice">The first ${groupedText(BigInt(forgotten))} prints are not kept.</p>`;
  if (showOf(last) === "scalar")
    return `<section>${headingOf(last)}${gone}${printsTable(prints, forgotten + 1)}</section>`;
  const earlier = prints.length - 1 + forgotten;
  const times = earlier + 1;
  const body = showMap(
    last,
    zone,
    earlier === 0 ? [] : [`It was printed ${times} times; this is what it was the last time.`],
  );
  // Of stacks one picture: each would be as large as the last.
  if (showOf(last) === "flame" || earlier === 0) return body;
  const older = prints
    .slice(0, -1)
    .map((map, i) => `<h3>Print ${forgotten + i + 1}</h3>${showMap(map, zone, [])}`)
    .join("");
  return `${body}<details class="earlier"><summary>Printed ${earlier} ${earlier === 1 ? "time" : "times"} before</summary>${gone}${older}</details>`;
}

const headingOf = (map: MapSnapshot): string => `<h2>${escaped(visibleText(map.name))}</h2>`;

function showMap(map: MapSnapshot, zone: TimeZone, notes: readonly string[]): string {
  const heading = headingOf(map) + notes.map((note) => `<p class="about">${escaped(note)}</p>`).join("");
  const show = showOf(map);
  switch (show) {
    case "flame":
      return flameSection(map, notes);
    case "histogram":
      return `<section>${heading}${histogramCharts(map)}</section>`;
    case "series":
      return `<section>${heading}${seriesCharts(map, zone)}</section>`;
    case "scalar":
      return `<section>${heading}${scalarTable([map])}</section>`;
    case "table":
      return `<section>${heading}${mapTable(map)}</section>`;
  }
}

function flameSection(map: MapSnapshot, notes: readonly string[]): string {
  const samples = stackSamples(map);
  if (samples === undefined) throw new Error("internal: a flame graph of a map without stacks");
  const graph = flameGraph(samples, notes);
  const legend = presentKinds(graph.tree)
    .map((kind) => `<span><i class="k-${kind} s1"></i>${kindNames[kind]}</span>`)
    .join("");
  const list = graph.notes.map((note) => `<li>${escaped(note)}</li>`).join("");
  return `<section class="flame">
<div class="flame-head bar-box"><h2>${escaped(visibleText(graph.name))}</h2><p class="summary">${escaped(graph.summary)}</p><div class="bar-row legend">${legend}</div><ul class="notes">${list}</ul></div>
<div class="scroll">${staticFrames(graph)}</div>
<script type="application/json">${embeddedJson({ title: "", graphs: [embeddedGraph(graph)] })}</script>
</section>`;
}

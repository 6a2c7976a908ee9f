import type { MapSnapshot, Value } from "../wire/value.js";
import { groupedText } from "./flame-layout.js";
import { orderedEntries } from "./map-order.js";
import { escaped, visibleLines } from "./markup.js";
import { divOf } from "./text.js";
import { valueText } from "./value-text.js";
import { visibleValue } from "./visible-bytes.js";

/** Rows of one map that a page can carry; what is beyond is counted. */
const mostRows = 1000;

/** A cell: numbers can be sorted and have a bar, `share` of the largest in the column. */
type Cell = { readonly text: string } | { readonly number: bigint };

/** A map as a table that can be sorted, the largest values first. */
export function mapTable(map: MapSnapshot): string {
  const div = divOf(map);
  const ordered = orderedEntries(map);
  const ranked = ordered.some(({ value }) => numberOf(value, 1n) !== undefined || value.kind === "stats");
  const entries = ranked ? ordered.toReversed() : ordered;
  const keys = entries.reduce((most, { key }) => Math.max(most, partsOf(key).length), 0);
  const [first] = entries;
  if (first === undefined) return "";
  const keyHeads = keys === 1 ? ["key"] : Array.from({ length: keys }, (_, i) => `key ${i + 1}`);
  const rows = entries.map(({ key, value }) => {
    const parts = partsOf(key);
    const left = Array.from({ length: keys }, (_, i) => cellOf(parts[i] ?? { kind: "none" }, 1n));
    return [...left, ...valueCells(value, div)];
  });
  return `${table([...keyHeads, ...valueHeads(first.value)], rows.slice(0, mostRows), keys)}${rest(rows.slice(mostRows))}`;
}

/** The maps without keys, a row each. */
export function scalarTable(maps: readonly MapSnapshot[]): string {
  const rows = maps.flatMap((map) =>
    map.entries.map(({ value }) => [{ text: map.name }, { text: valueText(visibleValue(value), divOf(map)) }]),
  );
  return table(["map", "value"], rows, 2);
}

/** A map without keys at each time that it was printed; `first` is the number of the first of these. */
export function printsTable(prints: readonly MapSnapshot[], first: number): string {
  const rows = prints.flatMap((map, i) =>
    map.entries.map(({ value }) => [{ number: BigInt(first + i) }, ...valueCells(value, divOf(map))]),
  );
  const [value] = prints.flatMap(({ entries }) => entries.map((entry) => entry.value));
  return value === undefined ? "" : table(["print", ...valueHeads(value)], rows, 1);
}

const partsOf = (key: readonly Value[]): readonly Value[] =>
  key.length === 1 && key[0]?.kind === "tuple" ? key[0].items : key;

const valueHeads = (value: Value): readonly string[] => {
  if (value.kind === "stats") return ["count", "average", "total"];
  if (value.kind === "avg") return ["average"];
  return [
    value.kind === "count" || value.kind === "sum" || value.kind === "min" || value.kind === "max"
      ? value.kind
      : "value",
  ];
};

function valueCells(value: Value, div: bigint): readonly Cell[] {
  if (value.kind !== "stats") return [cellOf(value, div)];
  // Count and total are not divided, as in text.
  return [{ number: value.count }, { number: value.average / div }, { number: value.total }];
}

function cellOf(value: Value, div: bigint): Cell {
  const number = numberOf(value, div);
  if (number !== undefined) return { number };
  return { text: value.kind === "none" ? "" : valueText(visibleValue(value), div).replace(/^\n|\n$/g, "") };
}

function numberOf(value: Value, div: bigint): bigint | undefined {
  switch (value.kind) {
    case "int":
    case "count":
    case "sum":
    case "min":
    case "max":
      return value.value / div;
    case "avg":
      return value.average / div;
    default:
      return undefined;
  }
}

/** `keys` columns stand in front of the values, whose numbers have bars. */
function table(heads: readonly string[], rows: readonly (readonly Cell[])[], keys: number): string {
  const numeric = heads.map((_, i) => rows.every((row) => row[i] !== undefined && "number" in row[i]));
  const most = heads.map((_, i) =>
    rows.reduce((max, row) => {
      const cell = row[i];
      return cell !== undefined && "number" in cell && cell.number > max ? cell.number : max;
    }, 0n),
  );
  const head = heads.map(
    (name, i) =>
      `<th scope="col"${numeric[i] ? ' class="number"' : ""}><button type="button">${escaped(name)}</button></th>`,
  );
  const body = rows.map((row) => {
    const cells = row.map((cell, i) => {
      if ("text" in cell) return `<td>${escaped(visibleLines(cell.text))}</td>`;
      const max = most[i] ?? 0n;
      const share = i >= keys && max > 0n && cell.number > 0n ? (100 * Number(cell.number)) / Number(max) : 0;
      // A key is a name even where it is a number: no commas.
      const text = i < keys ? cell.number.toString() : groupedText(cell.number);
      const bar = share > 0 ? ` style="--share:${share.toFixed(1)}%"` : "";
      return `<td class="number${share > 0 ? " shared" : ""}" data-value="${cell.number}"${bar}>${text}</td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  return `<div class="rows"><table class="sortable"><thead><tr>${head.join("")}</tr></thead><tbody>
${body.join("\n")}
</tbody></table></div>`;
}

function rest(rows: readonly (readonly Cell[])[]): string {
  if (rows.length === 0) return "";
  return `<p class="notice">${groupedText(BigInt(rows.length))} more entries are not shown here; -f text or -f json has them all.</p>`;
}

// The script of a report in HTML.
import type { EmbeddedFile } from "../output/flame-data.js";
import { FlameView } from "./flame-view.js";

for (const section of document.querySelectorAll<HTMLElement>("section.flame")) startGraph(section);
for (const table of document.querySelectorAll<HTMLTableElement>("table.sortable")) startTable(table);

function startGraph(section: HTMLElement): void {
  const data = section.querySelector("script");
  const frame = section.querySelector<HTMLElement>(".scroll");
  const picture = section.querySelector<SVGSVGElement>("svg.frames");
  const head = section.querySelector(".flame-head");
  if (data === null || frame === null || picture === null || head === null) return;
  const file = JSON.parse(data.textContent ?? "") as EmbeddedFile;
  const group = document.createElementNS("http://www.w3.org/2000/svg", "g");
  picture.replaceChildren(group);
  picture.removeAttribute("viewBox");
  const view = new FlameView(file.graphs, file.title, {
    group,
    width: () => Math.max(100, frame.clientWidth),
    resized(height, rootAt) {
      const below = frame.scrollHeight - frame.scrollTop;
      picture.setAttribute("height", String(height));
      if (rootAt === "bottom") frame.scrollTop = frame.scrollHeight - below;
    },
  });
  head.replaceWith(view.bar.element);
  view.choose(0);
  frame.scrollTop = frame.scrollHeight;
  window.addEventListener("resize", () => view.draw());
  // The keys are those of the graph that was touched last.
  section.tabIndex = 0;
  section.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, select, button") !== null;
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    if (view.key(event.key)) event.preventDefault();
  });
}

/** A click on a column's head sorts by it; a second one turns the order round. */
function startTable(table: HTMLTableElement): void {
  const heads = [...table.querySelectorAll("thead th")];
  const body = table.tBodies[0];
  if (body === undefined) return;
  for (const [column, head] of heads.entries()) {
    const button = head.querySelector("button");
    button?.addEventListener("click", () => {
      const numeric = head.classList.contains("number");
      const was = head.getAttribute("aria-sort");
      const down = was === null ? numeric : was === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[column], numeric) }));
      rows.sort((a, b) => compare(a.key, b.key) * (down ? -1 : 1));
      body.replaceChildren(...rows.map(({ row }) => row));
    });
  }
}

type Key = bigint | string;

/** Cells of numbers have the number itself in `data-value`. */
function keyOf(cell: HTMLTableCellElement | undefined, numeric: boolean): Key {
  const text = cell?.dataset["value"] ?? cell?.textContent ?? "";
  return numeric && /^-?\d+$/.test(text) ? BigInt(text) : text;
}

function compare(a: Key, b: Key): number {
  if (typeof a === "string" && typeof b === "string") return a.localeCompare(b, undefined, { numeric: true });
  return a < b ? -1 : a > b ? 1 : 0;
}

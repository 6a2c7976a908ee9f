// The script of a report in HTML.
import type { EmbeddedFile } from "../output/flame-data.js";
import { FlameView } from "./flame-view.js";
import { answerKey } from "./keys.js";

startGraphs();
for (const table of document.querySelectorAll<HTMLTableElement>("table.sortable")) startTable(table);

function startGraphs(): void {
  const views = [...document.querySelectorAll<HTMLElement>("section.flame")].flatMap((section) => {
    const view = startGraph(section);
    return view === undefined ? [] : [{ section, view }];
  });
  // Keys are for the graph that was touched last; before that they scroll the page.
  let active: FlameView | undefined;
  for (const { section, view } of views)
    for (const event of ["pointerdown", "focusin"])
      section.addEventListener(event, () => {
        active = view;
      });
  document.addEventListener("keydown", (event) => {
    const view = active ?? (event.key === "/" ? views[0]?.view : undefined);
    if (view !== undefined) answerKey(view, event);
  });
}

function startGraph(section: HTMLElement): FlameView | undefined {
  const data = section.querySelector("script");
  const frame = section.querySelector<HTMLElement>(".scroll");
  const picture = section.querySelector<SVGSVGElement>("svg.frames");
  const head = section.querySelector(".flame-head");
  if (data === null || frame === null || picture === null || head === null) return undefined;
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
  section.tabIndex = 0;
  return view;
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

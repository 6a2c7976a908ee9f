import type { FrameKind } from "../output/frame-kind.js";
import { kindNames } from "../output/frame-look.js";
import { html } from "./elements.js";

/** What stands above a flame graph: its name, the controls, the line about a frame, the legend, what is to be said of it. */
export interface FlameBar {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  readonly matched: HTMLElement;
  readonly reset: HTMLButtonElement;
  readonly flip: HTMLButtonElement;
  readonly chooser: HTMLSelectElement;
  readonly details: HTMLElement;
  show(graph: {
    readonly title: string;
    readonly notes: readonly string[];
    readonly kinds: readonly FrameKind[];
  }): void;
}

export function createFlameBar(names: readonly string[]): FlameBar {
  const title = html("h2");
  const search = html("input", {
    type: "search",
    placeholder: "Search, or /regex/",
    "aria-label": "Search functions",
    title: "Part of a name, or /regex/; Enter goes from match to match",
    spellcheck: "false",
  });
  const matched = html("span", { class: "matched", role: "status" });
  const reset = html("button", { type: "button", title: "Show all again (Esc)" }, "Reset zoom");
  const flip = html("button", { type: "button", title: "Callers above or below (i)" }, "Flip");
  const options = names.map((name, i) => html("option", { value: String(i) }, name));
  const chooser = html("select", { "aria-label": "Map" }, ...options);
  chooser.style.display = names.length > 1 ? "" : "none";
  const details = html("div", { class: "details", "aria-live": "polite" });
  const legend = html("div", { class: "bar-row legend" });
  const notes = html("ul", { class: "notes" });
  const controls = html("div", { class: "bar-row" }, matched, chooser, search, reset, flip);
  const row = html("div", { class: "bar-row head" }, title, controls);
  const element = html("div", { class: "bar-box" }, row, details, legend, notes);
  return {
    element,
    search,
    matched,
    reset,
    flip,
    chooser,
    details,
    show(graph) {
      title.textContent = title.title = graph.title;
      legend.replaceChildren(
        ...graph.kinds.map((kind) => html("span", {}, html("i", { class: `k-${kind} s1` }), kindNames[kind])),
      );
      notes.replaceChildren(...graph.notes.map((note) => html("li", {}, note)));
    },
  };
}

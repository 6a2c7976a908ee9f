import type { FlameView } from "./flame-view.js";

/** Lets a graph answer a key, unless it belongs to a control or to the browser. */
export function answerKey(view: FlameView, event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const at = (selector: string): boolean => event.target instanceof Element && event.target.closest(selector) !== null;
  if (at("input, select") || (event.key === "Enter" && at("button, summary, a"))) return;
  if (view.key(event.key)) event.preventDefault();
}

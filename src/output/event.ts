import type { TraceEvent } from "../wire/event.js";

/** Everything that can be printed: the events of a trace, and what only the printed output has. */
export type OutputEvent =
  | TraceEvent
  /** The last probe has run: what follows are the maps. */
  | { readonly kind: "end" };

/** What to write, and where: bpftrace keeps standard output for the script's own output when it prints text. */
export interface Rendered {
  readonly stream: "out" | "err";
  /** With its line end, where it has one. */
  readonly text: string;
}

import { gzipSync } from "node:zlib";
import type { OutputEvent } from "../output/event.js";
import { foldedText } from "../output/folded.js";
import { type StackSamples, stackSamples } from "../output/stack-samples.js";
import type { Style } from "../output/style.js";
import { renderText } from "../output/text.js";
import type { MapSnapshot } from "../wire/value.js";
import type { Options } from "./options.js";
import type { Outlet } from "./outlet.js";

/** Formats that show stacks and nothing else. */
export type StackFormat = Exclude<Options["format"], "text" | "json" | "html">;

/** Notes that a picture has room for. */
const mostNotes = 8;

/** Maps keyed by stacks in a format of their own; folded stacks line by line, the others as a whole at the end. */
export class StackFile {
  private readonly format: StackFormat;
  private readonly title: string;
  private readonly style: Style;
  private readonly out: Outlet;
  private readonly tell: (text: string) => void;
  /** What each map was when it was printed last, and how often that was. */
  private readonly maps = new Map<string, { readonly samples: StackSamples; readonly times: number }>();
  /** What a picture must not be silent about. */
  private readonly notes = new Set<string>();

  constructor(format: StackFormat, title: string, style: Style, out: Outlet, tell: (text: string) => void) {
    this.style = style;
    this.format = format;
    this.title = title;
    this.out = out;
    this.tell = tell;
  }

  /** Standard output is for programs that read stacks: all else is told on the other stream. */
  event(event: OutputEvent): void {
    if (event.kind === "map" && this.take(event.map)) return;
    const { stream, text } = renderText(event, this.style);
    if (stream === "err" && event.kind !== "attached") for (const note of notesOf(text)) this.notes.add(note);
    this.tell(text);
  }

  failed(message: string): void {
    this.notes.add(`The trace ended by an error: ${message}`);
  }

  /** False if the map is not keyed by stacks. */
  private take(map: MapSnapshot): boolean {
    const samples = stackSamples(map);
    if (samples === undefined) return false;
    const { name, skipped } = samples;
    if (skipped > 0)
      this.tell(`WARNING: ${skipped} of the stacks of ${name} have no number above 0 and are left out\n`);
    if (this.format === "folded") this.out.write(foldedText(samples));
    this.maps.set(name, { samples, times: (this.maps.get(name)?.times ?? 0) + 1 });
    return true;
  }

  async close(): Promise<void> {
    const { format, maps, out } = this;
    if (maps.size === 0)
      this.tell(
        `WARNING: no map with entries is keyed by a stack: -f ${format} has nothing to show${format === "svg" ? ", and nothing was written" : ""}\n`,
      );
    if (format === "folded") return;
    for (const [name, { times }] of maps)
      if (times > 1) this.tell(`WARNING: ${name} was printed ${times} times; the file has what it was the last time\n`);
    const all = [...maps.values()].map(({ samples }) => samples);
    if (format === "svg") {
      if (all.length > 0) out.write(await this.svg());
    } else if (format === "speedscope") {
      const [{ speedscopeJson }, generator] = await Promise.all([import("../output/speedscope.js"), generatorName()]);
      out.write(speedscopeJson(all, generator));
    } else {
      const { mostOfProfile, pprofBytes } = await import("../output/pprof.js");
      for (const { name, samples } of all) {
        const cut = samples.filter(({ value }) => value > mostOfProfile).length;
        if (cut > 0)
          this.tell(
            `WARNING: ${cut} of the stacks of ${name} have a number above ${mostOfProfile}, the most of a profile\n`,
          );
      }
      out.writeBytes(gzipSync(pprofBytes(all, BigInt(Date.now()) * 1_000_000n)));
    }
  }

  private async svg(): Promise<string> {
    const [{ flameGraph }, { flameSvg }, generator] = await Promise.all([
      import("../output/flame-graph.js"),
      import("../output/flame-svg.js"),
      generatorName(),
    ]);
    const told = [...this.notes];
    const notes = told.slice(0, mostNotes);
    if (told.length > notes.length) notes.push(`And ${told.length - notes.length} more messages on standard error.`);
    const graphs = [...this.maps.values()].map(({ samples, times }) =>
      flameGraph(
        samples,
        times > 1
          ? [...notes, `${samples.name} was printed ${times} times; this is what it was the last time.`]
          : notes,
      ),
    );
    return flameSvg(graphs, { title: this.title, generator });
  }
}

/** Each message's first line: what follows are places in the script, and hints. */
const notesOf = (text: string): readonly string[] =>
  text
    .split("\n")
    .filter((line) => line !== "" && !/^\s|^(?:HINT|Additional Info)|^[~^]/.test(line))
    .map((line) => line.replace(/^WARNING: /, ""));

export async function generatorName(): Promise<string> {
  return `beetrace ${(await import("./version.js")).version}`;
}

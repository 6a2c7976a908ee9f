import type { OutputEvent } from "../output/event.js";
import { mapJsonParts, renderJson } from "../output/json.js";
import type { Style } from "../output/style.js";
import { mapTextParts, renderText } from "../output/text.js";
import type { Sys } from "../sys/sys.js";
import type { Options } from "./options.js";
import { Outlet } from "./outlet.js";
import { ReportFile, titleOf } from "./report-file.js";
import { StackFile } from "./stack-file.js";
import { Writer } from "./writer.js";

/**
 * With this in the environment a line of the same text on standard output tells a program that has started this one when
 * every probe is attached, also with -q. Programs that start bpftrace know it under this name.
 */
const attachedVariable = "__BPFTRACE_NOTIFY_PROBES_ATTACHED";

/** Text that waits here for somebody to read, in bytes, before the trace waits, too. */
const enough = 1 << 20;

/** How long the parts of a map are made and written before signals are heard, and parts between looks at the clock. */
const sliceMilliseconds = 50;
const sliceParts = 100;

/** What is written later: text, or the parts of a map, each made when there is room for it. */
type Item = { readonly to: "out" | "err"; readonly parts: Iterator<string> };

/**
 * Renders events and writes them to where they belong, in their order, standard error included. Never blocks: what nobody reads
 * waits, and {@link event} answers a promise when there is enough of it.
 */
export class Output {
  onClosed: () => void = () => undefined;
  private readonly out: Outlet;
  private readonly err: Outlet;
  private readonly options: Options;
  private readonly style: Style;
  /** What takes the events where the output is one file, written at the end. */
  private readonly file: StackFile | ReportFile | undefined;
  private readonly later: Item[] = [];
  /** Writes what waits; undefined if nothing does. */
  private writing: Promise<void> | undefined;
  private problem: unknown;

  constructor(sys: Sys, options: Options, script: { readonly name: string; readonly text: string }, style: Style) {
    this.style = style;
    this.options = options;
    this.out = new Outlet(sys, options.outputFile ?? 1, () => this.onClosed());
    this.err = new Outlet(sys, 2, () => undefined);
    const { format } = options;
    if (format === "html") this.file = new ReportFile(script, style, this.out, (text) => this.tell(text));
    else if (format !== "text" && format !== "json")
      this.file = new StackFile(format, titleOf(script), style, this.out, (text) => this.tell(text));
  }

  /** Text that is no event. */
  write(text: string): void {
    this.put("out", text);
    this.flush();
  }

  /** What -v says beside the events. */
  note(text: string): void {
    this.tell(`${text}\n`);
  }

  /** What it answers settles when there is room for more. Throws BeetraceError if the output cannot be written. */
  event(event: OutputEvent): Promise<void> | undefined {
    if (event.kind === "attached") this.attached(event);
    else if (event.kind !== "warnf" || this.options.warnings) this.render(event);
    const { problem } = this;
    if (problem !== undefined) throw problem;
    if (this.later.length > 0 || this.out.backlog > enough) return this.shown();
    return undefined;
  }

  /** Settles when everything has been written. */
  async shown(): Promise<void> {
    this.flush();
    while (this.writing !== undefined) await this.writing;
    if (this.problem !== undefined) throw this.problem;
  }

  /** The trace ends by an error, which is told elsewhere: a file must not look as if it were complete. */
  failed(message: string): void {
    this.file?.failed(message);
  }

  private attached(event: OutputEvent): void {
    if (!this.options.quiet) this.render(event);
    if (process.env[attachedVariable] === undefined) return;
    this.out.flush();
    const stdout = new Writer(1, () => undefined);
    stdout.write(`${attachedVariable}\n`);
    stdout.close();
  }

  private render(event: OutputEvent): void {
    if (this.file !== undefined) {
      this.file.event(event);
      return;
    }
    if (event.kind === "map") {
      const parts =
        this.options.format === "json" ? mapJsonParts(event.map, this.style) : mapTextParts(event.map, this.style);
      this.putParts(parts[Symbol.iterator]());
      return;
    }
    const { stream, text } =
      this.options.format === "json" ? renderJson(event, this.style) : renderText(event, this.style);
    if (stream === "out") this.put("out", text);
    else this.tell(text);
  }

  private tell(text: string): void {
    this.out.flush();
    this.put("err", text);
    if (this.later.length === 0) this.err.flush();
    this.goOn();
  }

  private put(to: "out" | "err", text: string): void {
    // Standard error stands behind what standard output has no room for yet.
    const waits =
      this.later.length > 0 || (to === "err" && this.out.backlog > 0) || (to === "out" && this.err.backlog > 0);
    if (waits) this.later.push({ to, parts: [text][Symbol.iterator]() });
    else if (to === "out") this.out.write(text);
    else this.err.write(text);
  }

  private putParts(parts: Iterator<string>): void {
    if (this.later.length > 0 || this.err.backlog > 0 || this.writeParts(parts)) this.later.push({ to: "out", parts });
    this.goOn();
  }

  /** Writes parts as long as there is room, and not for long; true if more are left. */
  private writeParts(parts: Iterator<string>): boolean {
    const end = performance.now() + sliceMilliseconds;
    while (this.out.backlog === 0) {
      for (let i = 0; i < sliceParts; i++) {
        const next = parts.next();
        if (next.done === true) return false;
        this.out.write(next.value);
        if (next.value === "") break;
      }
      if (performance.now() >= end) break;
    }
    return true;
  }

  flush(): void {
    this.out.flush();
    this.goOn();
  }

  private goOn(): void {
    if (this.writing !== undefined) return;
    if (this.out.backlog === 0 && this.err.backlog === 0 && this.later.length === 0) return;
    this.writing = this.writeLater().then(
      () => {
        this.writing = undefined;
      },
      (error: unknown) => {
        this.writing = undefined;
        this.problem = error;
        // Nothing of it will be written any more.
        this.later.length = 0;
        this.onClosed();
      },
    );
  }

  private async writeLater(): Promise<void> {
    for (;;) {
      if (this.out.backlog > 0) await this.out.room();
      else if (this.err.backlog > 0) await this.err.room();
      else {
        const [item] = this.later;
        if (item === undefined) {
          this.out.flush();
          if (this.out.backlog === 0) return;
          continue;
        }
        if (item.to === "out") {
          if (this.writeParts(item.parts)) {
            // Signals are heard.
            await new Promise(setImmediate);
            continue;
          }
          if (this.later[1]?.to !== "out") this.out.flush();
        } else {
          for (const text of { [Symbol.iterator]: () => item.parts }) this.err.write(text);
          this.err.flush();
        }
        this.later.shift();
      }
    }
  }

  async close(): Promise<void> {
    await this.file?.close();
    await this.shown();
    this.out.close();
    this.err.close();
  }
}

import { gzipSync } from "node:zlib";
import type { OutputEvent } from "../output/event.js";
import { foldedText } from "../output/folded.js";
import { renderJson } from "../output/json.js";
import { type StackSamples, stackSamples } from "../output/stack-samples.js";
import { renderText } from "../output/text.js";
import type { Options } from "./options.js";
import { Writer } from "./writer.js";

/**
 * With this in the environment a line of the same text on standard output tells a program that has started this one when
 * every probe is attached, also with -q. Programs that start bpftrace know it under this name.
 */
const attachedVariable = "__BPFTRACE_NOTIFY_PROBES_ATTACHED";

/** Formats that show stacks and nothing else. */
type StackFormat = Exclude<Options["format"], "text" | "json">;

/** Renders events and writes them to where they belong. */
export class Output {
  onClosed: () => void = () => undefined;
  private readonly out: Writer;
  private readonly err: Writer;
  private readonly options: Options;
  private readonly stacks: StackFile | undefined;

  constructor(options: Options) {
    this.options = options;
    this.out = new Writer(options.outputFile ?? 1, () => this.onClosed());
    this.err = new Writer(2, () => undefined);
    const { format } = options;
    if (format !== "text" && format !== "json")
      this.stacks = new StackFile(format, this.out, (text) => this.tell(text));
  }

  /** Text that is no event. */
  write(text: string): void {
    this.out.write(text);
    this.out.flush();
  }

  event(event: OutputEvent): void {
    if (event.kind === "attached") {
      this.attached(event);
      return;
    }
    if (event.kind !== "warnf" || this.options.warnings) this.render(event);
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
    if (this.stacks !== undefined) {
      // Standard output is for programs that read stacks.
      if (event.kind !== "map" || !this.stacks.take(event.map)) this.tell(renderText(event).text);
      return;
    }
    const { stream, text } = this.options.format === "json" ? renderJson(event) : renderText(event);
    if (stream === "out") this.out.write(text);
    else this.tell(text);
  }

  private tell(text: string): void {
    this.out.flush();
    this.err.write(text);
    this.err.flush();
  }

  flush(): void {
    this.out.flush();
  }

  async close(): Promise<void> {
    await this.stacks?.close();
    this.out.close();
    this.err.close();
  }
}

/** Maps keyed by stacks in a format of their own; folded stacks line by line, the others as a whole at the end. */
class StackFile {
  private readonly format: StackFormat;
  private readonly out: Writer;
  private readonly tell: (text: string) => void;
  /** What each map was when it was printed last, and how often that was. */
  private readonly maps = new Map<string, { readonly samples: StackSamples; readonly times: number }>();

  constructor(format: StackFormat, out: Writer, tell: (text: string) => void) {
    this.format = format;
    this.out = out;
    this.tell = tell;
  }

  /** False if the map is not keyed by stacks. */
  take(map: Parameters<typeof stackSamples>[0]): boolean {
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
    if (this.maps.size === 0)
      this.tell(
        `WARNING: no map is keyed by a stack, so that -f ${this.format} has nothing to show, e.g. @[ustack] = count()\n`,
      );
    if (this.format === "folded") return;
    for (const [name, { times }] of this.maps)
      if (times > 1) this.tell(`WARNING: ${name} was printed ${times} times; the file has what it was the last time\n`);
    const all = [...this.maps.values()].map(({ samples }) => samples);
    if (this.format === "speedscope") {
      const [{ speedscopeJson }, { version }] = await Promise.all([
        import("../output/speedscope.js"),
        import("./version.js"),
      ]);
      this.out.write(speedscopeJson(all, `beetrace ${version}`));
      return;
    }
    const { pprofBytes } = await import("../output/pprof.js");
    this.out.writeBytes(gzipSync(pprofBytes(all, BigInt(Date.now()) * 1_000_000n)));
  }
}

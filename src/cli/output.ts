import type { OutputEvent } from "../output/event.js";
import { mapJsonParts, renderJson } from "../output/json.js";
import type { Style } from "../output/style.js";
import { mapTextParts, renderText } from "../output/text.js";
import type { Options } from "./options.js";
import { ReportFile, titleOf } from "./report-file.js";
import { StackFile } from "./stack-file.js";
import { Writer } from "./writer.js";

/**
 * With this in the environment a line of the same text on standard output tells a program that has started this one when
 * every probe is attached, also with -q. Programs that start bpftrace know it under this name.
 */
const attachedVariable = "__BPFTRACE_NOTIFY_PROBES_ATTACHED";

/** Renders events and writes them to where they belong. */
export class Output {
  onClosed: () => void = () => undefined;
  private readonly out: Writer;
  private readonly err: Writer;
  private readonly options: Options;
  private readonly style: Style;
  /** What takes the events where the output is one file, written at the end. */
  private readonly file: StackFile | ReportFile | undefined;

  constructor(options: Options, script: { readonly name: string; readonly text: string }, style: Style) {
    this.style = style;
    this.options = options;
    this.out = new Writer(options.outputFile ?? 1, () => this.onClosed());
    this.err = new Writer(2, () => undefined);
    const { format } = options;
    if (format === "html") this.file = new ReportFile(script, style, this.out, (text) => this.tell(text));
    else if (format !== "text" && format !== "json")
      this.file = new StackFile(format, titleOf(script), style, this.out, (text) => this.tell(text));
  }

  /** Text that is no event. */
  write(text: string): void {
    this.out.write(text);
    this.out.flush();
  }

  /** What -v says beside the events. */
  note(text: string): void {
    this.tell(`${text}\n`);
  }

  event(event: OutputEvent): void {
    if (event.kind === "attached") {
      this.attached(event);
      return;
    }
    if (event.kind !== "warnf" || this.options.warnings) this.render(event);
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
      for (const part of parts) this.out.write(part);
      return;
    }
    const { stream, text } =
      this.options.format === "json" ? renderJson(event, this.style) : renderText(event, this.style);
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
    await this.file?.close();
    this.out.close();
    this.err.close();
  }
}

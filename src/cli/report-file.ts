import { release } from "node:os";
import type { OutputEvent } from "../output/event.js";
import { formatTime } from "../output/format-time.js";
import type { Notice } from "../output/report-html.js";
import type { Style } from "../output/style.js";
import { renderText } from "../output/text.js";
import type { MapSnapshot } from "../wire/value.js";
import type { Outlet } from "./outlet.js";
import { generatorName } from "./stack-file.js";

/** Characters of printed text that a page holds. */
const mostText = 4_000_000;
/** Prints of one map that a page holds. */
const mostPrints = 100;
/** Messages that a page holds. */
const mostNotices = 200;

/** Collects all that a trace says and writes it as a page at the end; what went wrong is told at once, too. */
export class ReportFile {
  private readonly script: { readonly name: string; readonly text: string };
  private readonly style: Style;
  private readonly out: Outlet;
  private readonly tell: (text: string) => void;
  private readonly begun = Date.now();
  private readonly maps = new Map<string, { prints: MapSnapshot[]; forgotten: number }>();
  private readonly texts: string[] = [];
  private length = 0;
  /** Characters of text that came later than the page has room. */
  private cut = 0;
  private readonly notices = new Map<string, Notice["severity"]>();
  private moreNotices = 0;

  constructor(script: { name: string; text: string }, style: Style, out: Outlet, tell: (text: string) => void) {
    this.style = style;
    this.script = script;
    this.out = out;
    this.tell = tell;
  }

  event(event: OutputEvent): void {
    if (event.kind === "end") return;
    if (event.kind === "map") {
      this.take(event.map);
      return;
    }
    const { stream, text } = renderText(event, this.style);
    if (stream === "out") {
      const room = Math.max(0, mostText - this.length);
      this.texts.push(text.slice(0, room));
      this.length += Math.min(room, text.length);
      this.cut += Math.max(0, text.length - room);
      return;
    }
    if (event.kind !== "attached") this.notice(severityOf(event), text);
    this.tell(text);
  }

  failed(message: string): void {
    this.notice("error", `The trace ended by an error: ${message}`);
  }

  private take(map: MapSnapshot): void {
    if (map.entries.length === 0) return;
    const known = this.maps.get(map.name) ?? { prints: [], forgotten: 0 };
    known.prints.push(map);
    if (known.prints.length > mostPrints) {
      known.prints.shift();
      known.forgotten++;
    }
    this.maps.set(map.name, known);
  }

  private notice(severity: Notice["severity"], text: string): void {
    const message = text.trimEnd();
    if (message === "") return;
    if (this.notices.size >= mostNotices && !this.notices.has(message)) this.moreNotices++;
    else this.notices.set(message, severity);
  }

  async close(): Promise<void> {
    if (this.cut > 0) {
      const message = `${this.cut} characters of text are not in the page, which holds ${mostText}; -f text has all`;
      this.notice("lost", message);
      this.tell(`WARNING: ${message}\n`);
    }
    const [{ reportHtml }, generator] = await Promise.all([import("../output/report-html.js"), generatorName()]);
    const order: readonly Notice["severity"][] = ["lost", "error", "warning"];
    const notices = [...this.notices]
      .map(([text, severity]) => ({ text, severity }))
      .sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
    if (this.moreNotices > 0)
      notices.push({ severity: "warning", text: `${this.moreNotices} more messages are on standard error only.` });
    const seconds = ((Date.now() - this.begun) / 1000).toFixed(1);
    const { zone } = this.style;
    const begun = { seconds: Math.floor(this.begun / 1000), microseconds: 0 };
    const when = formatTime("%Y-%m-%d %H:%M:%S", begun, zone);
    this.out.write(
      reportHtml({
        title: titleOf(this.script),
        script: this.script.text,
        generator,
        about: `${when}, ${seconds} s, Linux ${release()}`,
        maps: [...this.maps.values()],
        text: this.texts.join(""),
        notices,
        zone,
      }),
    );
  }
}

function severityOf({ kind }: OutputEvent): Notice["severity"] {
  if (kind === "lost") return "lost";
  return kind === "error" || kind === "errorf" || kind === "runtime-error" ? "error" : "warning";
}

/** What a script is called on a page: its file, or as much of itself as a heading holds. */
export function titleOf({ name, text }: { readonly name: string; readonly text: string }): string {
  if (name !== "stdin") return name.slice(name.lastIndexOf("/") + 1);
  const line = text.trim().replace(/\s+/g, " ");
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}

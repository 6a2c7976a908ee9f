import { benchJson, benchText, type ProgramResult, testJson, testText } from "../output/program-result.js";
import type { Style } from "../output/style.js";
import { renderText } from "../output/text.js";
import { hasPassed } from "../trace/programs.js";
import type { Trace } from "../trace/trace.js";
import { printError } from "./writer.js";

/** --test and --bench: runs the programs, tells each result, and answers the exit status. */
export async function runPrograms(
  trace: Trace,
  mode: "test" | "bench",
  format: "text" | "json",
  style: Style,
  output: { write(text: string): void; close(): Promise<void> },
): Promise<number> {
  const failed: string[] = [];
  let told = 0;
  const tell = (result: ProgramResult): void => {
    if (mode === "test") output.write(format === "json" ? testJson(result) : testText(result, failed));
    else output.write(format === "json" ? benchJson(result) : benchText(result, told === 0));
    told++;
    if (!result.passed) failed.push(result.names[result.index] ?? "");
  };
  await trace.runPrograms(mode, async ({ names, index, run, measure }) => {
    const name = names[index] ?? "";
    if (mode === "test") {
      const once = await run();
      const text = once.events.map((event) => renderText(event, style).text).join("");
      tell({ names, index, nanoseconds: once.nanoseconds, runs: 1, passed: hasPassed(once), output: text });
      return;
    }
    const measured = await measure();
    if (measured === undefined) return;
    if (measured.failed) {
      failed.push(name);
      printError(`ERROR: Benchmark '${name}' failed.\n`);
    } else tell({ names, index, ...measured, passed: true, output: "" });
  });
  await output.close();
  return failed.length === 0 ? 0 : 1;
}

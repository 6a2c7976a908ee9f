import assert from "node:assert/strict";
import { test } from "node:test";
import { AttachError } from "../load/attach-error.js";
import { SyscallError } from "../sys/syscall-error.js";
import { Refusals } from "./refusals.js";

const span = { source: { name: "test", text: "kprobe:a*" }, start: 0, end: 9 };
const target = (name: string, byWildcard: boolean) => ({
  name,
  func: name,
  span,
  probe: "kprobe",
  file: undefined,
  place: { kind: "run", name: undefined } as const,
  byWildcard,
});
const error = new AttachError("anything", new SyscallError("perf_event_open", 22), { advice: { 22: "do so" } });

test("a refusal of what the script names ends the trace, unless missing_probes says otherwise", () => {
  assert.throws(
    () => new Refusals("error").refused(target("kprobe:a", false), error),
    (thrown) =>
      thrown instanceof AttachError &&
      /^Unable to attach probe: kprobe:a: perf_event_open/.test(thrown.message) &&
      thrown.hint === "do so" &&
      thrown.span === span,
  );
  const warn = new Refusals("warn");
  warn.refused(target("kprobe:a", false), error);
  assert.equal(warn.count, 1);
  assert.match(
    warn.warnings().join(),
    /^Unable to attach probe: kprobe:a\. Skipping\. perf_event_open: EINVAL .* \(do so\)$/,
  );
  const ignore = new Refusals("ignore");
  ignore.refused(target("kprobe:a", false), error);
  assert.deepEqual([ignore.count, ignore.warnings()], [1, []]);
});

test("what a wildcard has found is left out, counted, and told in one line", () => {
  const refusals = new Refusals("error");
  for (const name of ["kprobe:a1", "kprobe:a2", "kprobe:a3"]) refusals.refused(target(name, true), error);
  assert.equal(refusals.count, 3);
  assert.equal(refusals.warnings().length, 1);
  assert.match(refusals.warnings()[0] ?? "", /^3 attach points of a wildcard left out .* kprobe:a1: perf_event_open/);
});

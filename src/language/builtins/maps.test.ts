import assert from "node:assert/strict";
import { test } from "node:test";
import { complaints } from "../../../test/support/compile-script.js";
import { Simulation, type SimulationOptions } from "../../../test/support/simulation.js";

function run(action: string, options: SimulationOptions = {}): Simulation {
  const simulation = new Simulation(`BEGIN { ${action} }`, options);
  simulation.fire();
  return simulation;
}

test("find gives the variable the value, and leaves it alone where there is no entry", () => {
  const action = "let $v; @m[1] = 10; print(find(@m, 1, $v)); print($v); print(find(@m, 2, $v)); print($v);";
  assert.deepEqual(run(action).said, ["true", "10", "false", "10"]);
});

test("find of texts and tuples, with keys of several parts", () => {
  const texts = '$t = "a longer text"; @m["k"] = "short"; if (find(@m, "k", $t)) { print($t); }';
  assert.deepEqual(run(texts).said, ["short"]);
  const tuples = 'let $t; @m[1, "k"] = (1, "two"); if (find(@m, (1, "k"), $t)) { print($t); }';
  assert.deepEqual(run(tuples).said, ["(1,two)"]);
});

test("has_key, len and delete in both forms", () => {
  const action = "@m[1, 2] = 1; @m[3, 4] = 2; print(has_key(@m, (1, 2))); print(has_key(@m, (2, 1))); print(len(@m));";
  assert.deepEqual(run(action).said, ["true", "false", "2"]);
  const deletes =
    "@m[1] = 1; @m[2] = 2; print(delete(@m, 1)); print(delete(@m[2])); print(delete(@m, 3)); print(len(@m));";
  assert.deepEqual(run(deletes).said, ["true", "true", "false", "0"]);
});

test("what makes no sense without keys, or of aggregates", () => {
  assert.deepEqual(complaints("BEGIN { @ = 1; print(len(@)); }"), ["error bad-argument 'len(@)'"]);
  assert.deepEqual(complaints("BEGIN { @ = 1; print(has_key(@, 1)); }").length > 0, true);
  assert.deepEqual(complaints("BEGIN { @m[1] = count(); let $v; print(find(@m, 1, $v)); }").length > 0, true);
});

test("-k tells which entry or memory is not there, and where", () => {
  const simulation = run("@m[1] = 1; print(@m[2]); print(*(uint64 *)16);", { checkHelpers: true });
  const told = simulation.events.flatMap((event) =>
    event.kind === "helper-error"
      ? [`${event.helper} ${event.retcode} ${event.span.source.text.slice(event.span.start, event.span.end)}`]
      : [],
  );
  assert.deepEqual(told, ["map_lookup_elem 0 @m[2]", "probe_read_kernel -14 *(uint64 *)16"]);
  assert.deepEqual(run("@m[1] = 1; $x = @m[2];").events, []);
});

// Programs of iterators, run in the interpreter.
import assert from "node:assert/strict";
import { test } from "node:test";
import { complaint } from "../../test/support/compile-script.js";
import { Simulation } from "../../test/support/simulation.js";
import { systemMaps } from "../wire/map-storage.js";

const meta = 0x1000n;

/** Runs a script's iterator for tasks, the current one and, behind the last, none. */
function overTasks(text: string, tasks: readonly boolean[]): Simulation {
  const simulation = new Simulation(text);
  simulation.setTask("comm", "mine");
  simulation.setTask("pid", 42n);
  for (const present of tasks) simulation.fire({ words: [meta, present ? simulation.machine.environment.task : 0n] });
  return simulation;
}

test("members of ctx are the object's", () => {
  const { text } = overTasks('iter:task { printf("%s %d\\n", ctx.task.comm, ctx.task.pid); }', [true, true]);
  assert.equal(text, "mine 42\nmine 42\n");
});

test("a null pointer ends the action, where it is asked for", () => {
  const simulation = overTasks('iter:task { @all++; $t = ctx.task; @some++; printf("%s;", $t.comm); }', [true, false]);
  assert.deepEqual([simulation.scalar("@all"), simulation.scalar("@some"), simulation.text], ["2", "1", "mine;"]);
});

test("a null pointer among printed values leaves no record open", () => {
  const script = 'iter:task { printf("%s %d", (ctx.task.pid > 0 ? ctx.task.comm : "none"), ctx.task.pid + 1); }';
  assert.equal(overTasks(script, [true, false]).text, "mine 43");
});

test("a null pointer ends the action in a predicate and in loops, too", () => {
  const simulation = overTasks(
    "iter:task /ctx.task.pid == 42/ { @n++; } iter:task { for ($i : 0..40) { @rounds++; if (ctx.task.pid == 42) { @hits++; } } }",
    [true, false],
  );
  assert.equal(simulation.scalar("@n"), "1");
  for (const task of [simulation.machine.environment.task, 0n]) simulation.fire({ words: [meta, task] }, 1);
  assert.deepEqual([simulation.scalar("@rounds"), simulation.scalar("@hits")], ["41", "40"]);
});

test("a null pointer in a loop ends what is behind the loop, too", () => {
  const simulation = overTasks("iter:task { for ($i : 0..40) { if (ctx.task.pid == 42) { @hits++; } } @behind++; }", [
    true,
    false,
  ]);
  assert.deepEqual([simulation.scalar("@hits"), simulation.scalar("@behind")], ["40", "1"]);
});

test("a null pointer in a map's key among printed values leaves no record open", () => {
  const script = 'iter:task { @name[42] = "mine"; printf("%s", @name[ctx.task.pid]); }';
  assert.equal(overTasks(script, [true, false]).text, "mine");
});

test("exit() leaves the action, and the next object has its own", () => {
  const simulation = overTasks('iter:task { printf("%d;", ctx.task.pid); exit(); printf("never"); }', [true, true]);
  assert.equal(simulation.text, "42;42;");
});

test("a ring that is half full makes the program ask for the same object again", () => {
  const simulation = new Simulation('iter:task { @n++; printf("%s", str(ctx.task.comm)); }', {
    settings: { perf_rb_pages: "1" },
  });
  simulation.setTask("comm", "mine");
  const program = simulation.compiled.object.programs[0];
  assert.ok(program);
  const words = new BigUint64Array([meta, simulation.machine.environment.task]);
  let done = 0;
  while (simulation.machine.run(program, new Uint8Array(words.buffer)) === 0n) {
    done++;
    assert.ok(done < 1000);
  }
  assert.equal(simulation.scalar("@n"), String(done));
  assert.ok(simulation.machine.takeRecords(systemMaps.events).length === done && done > 10, `${done}`);
  assert.equal(simulation.machine.run(program, new Uint8Array(words.buffer)), 0n);
});

test("a pinned iterator's printf is the kernel's", () => {
  const { compiled } = new Simulation(
    'iter:task:list { printf("%-5d|%s 100%% %p\\n", ctx.task.pid, comm, ctx.task); }',
  );
  assert.deepEqual(compiled.records, []);
  for (const [statement, code] of [
    ["print(kstack)", undefined],
    ['printf("%s", kstack)', "bad-format"],
    ['printf("%.3s", comm)', "bad-format"],
    ['printf("é")', "bad-format"],
    ['printf("%d%d%d%d%d%d%d%d%d%d%d%d%d", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)', "bad-format"],
  ] as const) {
    if (code === undefined) new Simulation(`iter:task:list { ${statement}; }`);
    else assert.equal(complaint(`iter:task:list { ${statement}; }`).code, code, statement);
  }
});

test("ctx itself is no value", () => {
  const { code, at, hint } = complaint("iter:task { @ = ctx; }");
  assert.deepEqual([code, at, hint], ["not-a-value", "ctx", "use one of its members, e.g. ctx.NAME"]);
});

// Arguments of functions by their debugging information; the values are in test/fixtures/elf/typed.c and classes.cpp.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fixture } from "../fixtures/path.js";
import { lines, run, sameEverywhere } from "../support/run.js";

const skip = process.arch === "x64" ? false : "the fixtures are programs for x86-64";

async function shown(program: string, script: string): Promise<readonly string[]> {
  const { out, err, status } = await run("-q", "-e", script.replaceAll("BIN", program), "-c", program);
  assert.equal(status, 0, err);
  return lines(out);
}

for (const name of ["typed4", "typed5", "typedz"]) {
  const program = fixture("elf", name);

  test(`${name}: args as a whole`, { skip }, async () => {
    const functions = ["plain", "many", "values", "returns", "wide"];
    const script = functions.map((fn) => `uprobe:BIN:${fn} { print(args); }`).join(" ");
    const bytes = (n: number): string => `[${[n, ...new Array<number>(15).fill(0)].join(",")}]`;
    assert.deepEqual(await shown(program, script), [
      "{ .a = -1, .b = 98, .c = 3, .d = 4, .e = true, .f = -6 }",
      "{ .a = 1, .b = 2, .c = 3, .d = 4, .e = 5, .f = 6, .g = -7, .h = 8 }",
      "{ .s = { .x = 1, .y = -2 }, .m = { .id = 3, .a = 4, .b = -5 }, .l = { .cells = [[1,2,3],[4,5,6]], " +
        ".name = seven77, .at = { .x = 8, .y = 9 } }, .after = 10 }",
      "{ .a = 11, .b = 12 }",
      `{ .a = ${bytes(1)}, .b = 2, .c = ${bytes(3)}, .d = ${bytes(4)}, .e = 5 }`,
    ]);
  });

  test(`${name}: single ones, their members, and behind their pointers`, { skip: skip || sameEverywhere }, async () => {
    const script = `
uprobe:BIN:pointers {
  $n = args.node;
  print((str($n.label), $n.low, $n.high, $n.ready, $n.color, $n.number));
  printf("%s %d %s\\n", args.color, args.color, args.sign);
  print((str(args->text), str(args.list[0]), *(int32 *)args.any));
}
uprobe:BIN:values { print((args.s.y, args.m.b, args.l.cells[1][2], args.l.name)); }
uprobe:BIN:floats { print((args.a, args.d)); }`;
    assert.deepEqual(await shown(program, script), [
      "(one, 5, 99, true, BLUE, 7)",
      "GREEN 5 MINUS",
      "(text, x, 3)",
      "(-2, -5, 6, seven77)",
      "(1, 4)",
    ]);
  });

  test(`${name}: in variables, maps and keys`, { skip: skip || sameEverywhere }, async () => {
    const script = `uprobe:BIN:returns { $a = args; @a = args; @k[args] = $a.b; @s[1, args] = (args, "x"); print(@a.b); }`;
    assert.deepEqual(
      (await shown(program, script)).filter((line) => line !== ""),
      [
        "12",
        "@a: { .a = 11, .b = 12 }",
        "@k[{ .a = 11, .b = 12 }]: 12",
        "@s[1, { .a = 11, .b = 12 }]: ({ .a = 11, .b = 12 }, x)",
      ],
    );
  });

  test(`${name}: the program's types in casts, unless the script has its own`, {
    skip: skip || sameEverywhere,
  }, async () => {
    const script = "{ print(((struct node *)arg0).high); let $s: struct small; print(sizeof(struct large)); }";
    assert.deepEqual(await shown(program, `uprobe:BIN:pointers ${script}`), ["99", "40"]);
    assert.deepEqual(
      await shown(
        program,
        `struct node { uint64_t a; uint64_t high; } uprobe:BIN:returns ${"{ print(sizeof(struct node)); }"}`,
      ),
      ["16"],
    );
  });
}

test("methods: this, references, and an object that is passed by its address", {
  skip: skip || sameEverywhere,
}, async () => {
  const script = `
uprobe:BIN:*grow* { print((args.this.size, args.this.weight, args.by)); }
uprobe:BIN:*pack* { print((args.box.size, args.owned.id, *args.count)); print(args.owned); }`;
  assert.deepEqual(await shown(fixture("elf", "classes"), script), ["(0, 3, 4)", "(4, 5, 6)", "{ .id = 5 }"]);
});

test("an instruction of a line of the source", { skip: skip || sameEverywhere }, async () => {
  const text = readFileSync(fixture("elf", "typed.c"), "utf8");
  const line = text.split("\n").findIndex((each) => each.startsWith("KEEP struct large returns")) + 1;
  const program = fixture("elf", "typed5");
  const own = `uprobe:BIN@typed.c:${line} { @[probe] = reg("pc"); } uprobe:BIN:returns { @b = reg("pc"); }`;
  const values = (await shown(program, own)).filter((each) => each !== "").map((each) => each.replace(/^.*: /, ""));
  assert.equal(values.length, 2);
  assert.equal(values[0], values[1]);
});

test("functions of several signatures under one wildcard", { skip: skip || sameEverywhere }, async () => {
  const script = 'uprobe:BIN:many,uprobe:BIN:plain,uprobe:BIN:returns { printf("%s %d %d\\n", func, args.a, args.b); }';
  assert.deepEqual(await shown(fixture("elf", "typed5"), script), ["plain -1 98", "many 1 2", "returns 11 12"]);
});

test("-lv shows parameters", { skip: sameEverywhere }, async () => {
  const name = `uprobe:${fixture("elf", "typedz")}:floats`;
  const { out } = await run("-lv", name);
  assert.deepEqual(lines(out), [name, "    int a", "    double b", "    float c", "    int d", "    struct mixed m"]);
});

test("what cannot be read says why", { skip: sameEverywhere }, async () => {
  const error = async (script: string): Promise<string> => (await run("-e", script)).err;
  const typed = fixture("elf", "typed5");
  assert.match(await error(`uprobe:${typed}:floats { print(args.b); }`), /'b' .* floating point register/);
  assert.match(await error(`uprobe:${typed}:floats { print(args); }`), /'b' .* floating point register/);
  assert.match(await error(`uprobe:${typed}:plain { print(args.z); }`), /has no argument 'z'[\s\S]*did you mean 'a'/);
  assert.match(await error(`uretprobe:${typed}:plain { print(args.a); }`), /keep them in a map at its entry/);
  assert.match(
    await error(`uprobe:${fixture("elf", "tiny")}:twice { print(args.x); }`),
    /compile it with -g[\s\S]*arg0/,
  );
});

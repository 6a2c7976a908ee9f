import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { Dwarf } from "../formats/dwarf.js";
import { DW_TAG } from "../formats/dwarf-constants.js";
import { Elf } from "../formats/elf.js";
import { type FunctionSignature, functionSignature } from "./dwarf-function.js";
import { typeFromDwarf } from "./from-dwarf.js";
import type { Type } from "./type.js";

const read = (name: string): Buffer => readFileSync(fixture("elf", name));

function open(bytes: Uint8Array): { elf: Elf; dwarf: Dwarf } {
  const elf = Elf.parse(bytes, "fixture");
  const section = (name: string): Uint8Array | undefined => {
    const found = elf.section(`.debug_${name}`);
    return found === undefined ? undefined : elf.data(found);
  };
  return { elf, dwarf: new Dwarf({ what: "fixture", section }) };
}

function signature(file: string, name: string, arch: "x86_64" | "arm64" = "x86_64"): FunctionSignature {
  const { elf, dwarf } = open(read(file));
  return functionSignature(dwarf, dwarf.function(name, elf.function(name)!.address)!, arch);
}

/** `a: 0` is in the first register, `+8` on the stack, `*1` where the second register points. */
function places(file: string, name: string, arch: "x86_64" | "arm64" = "x86_64"): string {
  return signature(file, name, arch)
    .parameters.map(({ name, place }) => {
      if (place.kind === "registers") return `${name}: ${place.numbers.join(" ")}`;
      if (place.kind === "stack") return `${name}: +${place.offset}`;
      if (place.kind === "indirect") return `${name}: *${place.number}`;
      return place.kind === "unreadable" ? `${name}: -` : `${name}: *+${place.offset}`;
    })
    .join(", ");
}

test("where the System V ABI puts parameters", () => {
  for (const file of ["typed4", "typed5"]) {
    assert.equal(places(file, "plain"), "a: 0, b: 1, c: 2, d: 3, e: 4, f: 5");
    assert.equal(places(file, "many"), "a: 0, b: 1, c: 2, d: 3, e: 4, f: 5, g: +0, h: +8");
    assert.equal(places(file, "values"), "s: 0, m: 1 2, l: +0, after: 3");
    assert.equal(places(file, "floats"), "a: 0, b: -, c: -, d: 1, m: -");
    // The first register has the address of the result.
    assert.equal(places(file, "returns"), "a: 1, b: 2");
    // One register is left, which half of a number does not take.
    assert.equal(places(file, "wide"), "a: 0 1, b: 2, c: 3 4, d: +0, e: 5");
  }
  assert.equal(places("classes", "_ZN4shop4packERKNS_3BoxENS_5OwnedEOi"), "box: 0, owned: *1, count: 2");
});

test("where arm64's ABI puts parameters", () => {
  assert.equal(places("typed5", "many", "arm64"), "a: 0, b: 1, c: 2, d: 3, e: 4, f: 5, g: 6, h: 7");
  assert.equal(places("typed5", "values", "arm64"), "s: 0, m: 1 2, l: *3, after: 4");
  assert.equal(places("typed5", "floats", "arm64"), "a: 0, b: -, c: -, d: 1, m: 2 3");
  assert.equal(places("typed5", "returns", "arm64"), "a: 0, b: 1");
  assert.equal(places("typed5", "wide", "arm64"), "a: 0 1, b: 2, c: 4 5, d: 6 7, e: +0");
});

test("types as C writes them", () => {
  const { parameters, returns } = signature("typed5", "pointers");
  assert.deepEqual(
    parameters.map(({ text }) => text),
    ["struct node* node", "const char* text", "char** list", "void* any", "enum color color", "enum sign sign"],
  );
  assert.deepEqual(returns, { kind: "int", size: 4, signed: true });
  const [box, , count] = signature("classes", "_ZN4shop4packERKNS_3BoxENS_5OwnedEOi").parameters;
  assert.deepEqual([box?.text, count?.text], ["const struct Box& box", "int&& count"]);
});

test("functions of one signature have one key", () => {
  assert.equal(signature("typed5", "plain").key, signature("typed4", "plain").key);
  assert.notEqual(signature("typed5", "plain").key, signature("typed5", "many").key);
});

/** A member with its type in short, its bit offset, and its width if it is a bit field. */
function members(file: string, name: string): readonly string[] {
  const { dwarf } = open(read(file));
  const die = dwarf.type(name, [DW_TAG.structureType, DW_TAG.classType])!;
  const type = typeFromDwarf(dwarf, die, "user");
  assert.equal(type.kind, "record");
  return type.kind === "record"
    ? type.members().map((m) => `${m.name} ${short(m.type)} ${m.bitOffset}${m.bitSize > 0 ? `:${m.bitSize}` : ""}`)
    : [];
}

function short(type: Type): string {
  if (type.kind === "int") return `${type.signed ? "i" : "u"}${8 * type.size}`;
  if (type.kind === "pointer") return `${short(type.to)}*`;
  if (type.kind === "array") return `${short(type.of)}[${type.count}]`;
  return type.kind === "record" || type.kind === "enum" ? type.name : type.kind;
}

test("members of structures", () => {
  const expected = [
    "next struct node* 0",
    "label i8* 64",
    "low u32 128:3",
    "high u32 131:7",
    "ready bool 144",
    "color enum color 160",
    "number i32 192",
    "fraction none 192",
    "mac u8[6] 224",
    "text string 272",
    "unknown struct tail* 320",
    "compare none* 384",
    "rest i32[0] 448",
  ];
  for (const file of ["typed4", "typed5"]) {
    assert.deepEqual(members(file, "node"), expected);
    assert.deepEqual(members(file, "large"), ["cells i32[3][2] 0", "name string 192", "at struct small 256"]);
  }
  // Of the base class first; static ones are not in the object.
  assert.deepEqual(members("classes", "Box"), ["weight i32 0", "size i32 32"]);
});

test("damaged files give a value or a FormatError", () => {
  const visit = (type: Type, depth: number): void => {
    if (type.kind === "pointer") visit(type.to, depth + 1);
    else if (type.kind === "array") visit(type.of, depth + 1);
    else if (type.kind === "record" && depth < 3)
      for (const member of type.members().slice(0, 30)) visit(member.type, depth + 1);
  };
  for (const file of ["typed5", "typed4", "classes"]) {
    fuzz(read(file), 1000, (bytes) => {
      const { elf, dwarf } = open(bytes);
      for (const { name, address } of [...elf.functions()].slice(0, 10)) {
        const die = dwarf.function(name, address);
        if (die === undefined) continue;
        for (const arch of ["x86_64", "arm64"] as const) {
          const { parameters, returns } = functionSignature(dwarf, die, arch);
          for (const { type } of [...parameters, { type: returns }]) visit(type, 0);
        }
      }
    });
  }
});

// Names and places of programs that were just compiled, beside those that binutils give.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Elf } from "../../src/formats/elf.js";
import { demangle } from "../../src/formats/itanium-demangle.js";
import { PageCache } from "../../src/formats/page-cache.js";
import { demangleRust } from "../../src/formats/rust-demangle.js";
import { SectionPages } from "../../src/formats/section-bytes.js";
import { ElfFile, openFile } from "../../src/symbols/elf-file.js";

const lacks = (...tools: readonly string[]): string | false => {
  const missing = tools.filter((tool) => spawnSync(tool, ["--version"]).status !== 0);
  return missing.length === 0 ? false : `no ${missing.join(", ")} here`;
};

function run(folder: string, command: string, args: readonly string[], input = ""): string {
  const { stdout, stderr, status } = spawnSync(command, args, {
    cwd: folder,
    input,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  assert.equal(status, 0, `${command} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-tools-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Functions in functions: inlined, in blocks, in pieces, and one that is defined inside of another. */
const cProgram = `
#include <stdio.h>
#include <stdlib.h>
struct node { struct node *next; int value; };
static inline int weigh(int a, int b) {
  if (a > b)
    return a * 3 + b;
  for (int i = 0; i < b; i++)
    a += i ^ b;
  return a;
}
static inline int chain(struct node *n) {
  int sum = 0;
  for (; n; n = n->next) {
    int w = weigh(n->value, sum);
    sum = w & 1 ? sum + w : sum ^ weigh(w, 7);
  }
  return sum;
}
static int compare(const void *a, const void *b) { return weigh(*(const int *)a, 1) - weigh(*(const int *)b, 1); }
__attribute__((noinline)) int work(int n) {
  struct node *list = 0;
  __attribute__((noinline)) int inside(int k) { return weigh(k, n) + chain(list); }
  for (int i = 0; i < n; i++) {
    struct node *x = malloc(sizeof *x);
    if (!x) {
      fprintf(stderr, "no memory for %d\\n", weigh(i, n));
      abort();
    }
    x->value = i;
    x->next = list;
    list = x;
  }
  return chain(list) + inside(n);
}
int main(int argc, char **argv) {
  int all[50];
  for (int i = 0; i < 50; i++)
    all[i] = work(i + argc);
  qsort(all, 50, sizeof all[0], compare);
  return all[7] & 1;
}
`;

const cppProgram = `
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>
namespace shop {
struct Base { virtual ~Base() = default; virtual int price(int) const = 0; };
template <class T> struct Box : Base {
  std::vector<T> items;
  int price(int n) const override {
    auto each = [&](const T &item) __attribute__((noinline)) { return std::max(static_cast<int>(item) * n, 1); };
    int sum = 0;
    for (auto &item : items)
      sum += each(item);
    return sum;
  }
};
}
int main(int argc, char **argv) {
  std::map<std::string, std::unique_ptr<shop::Base>> all;
  auto box = std::make_unique<shop::Box<double>>();
  for (int i = 0; i < argc * 10; i++)
    box->items.push_back(i * 1.5);
  all["a"] = std::move(box);
  std::vector<std::string> words;
  for (int i = 0; i < 20; i++)
    words.push_back(std::to_string(i * 7919 % 101));
  std::sort(words.begin(), words.end(), [](auto &x, auto &y) { return x.size() < y.size() || x < y; });
  return all.at("a")->price(3) & 1;
}
`;

/** A frame: the function, and `FILE:LINE`. */
type Place = readonly [name: string, place: string];

const noPlace = "??:0";

/** Paths without `.` and `..`: addr2line shows them as they are put together. */
function tidy(place: string): string {
  const parts: string[] = [];
  for (const part of place.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** Frames of addresses as we have them, innermost first. */
function ours(t: TestContext, path: string, addresses: readonly number[]): readonly (readonly Place[])[] {
  const source = openFile(path);
  const elf = Elf.parse(source, path);
  const keeper = {
    grew: () => undefined,
    pages: new PageCache(),
    sections: new SectionPages(256 << 10),
    shown: (symbol: string) => symbol,
  };
  const file = new ElfFile(source, path, { folders: [], root: "/nowhere" }, keeper);
  t.after(() => file[Symbol.dispose]());
  return addresses.map((address) => {
    const offset = elf.fileOffset(BigInt(address))!;
    const [symbol, code] = [file.at(offset), file.code(offset)];
    const frames = [
      ...(code?.inlined ?? []),
      { name: symbol.kind === "symbol" ? symbol.name : "", place: code?.place },
    ];
    return frames.map(
      ({ name, place }): Place => [name, place === undefined ? noPlace : tidy(`${place.file}:${place.line}`)],
    );
  });
}

/** The same as addr2line has them. */
function theirs(path: string, addresses: readonly number[]): readonly (readonly Place[])[] {
  const input = addresses.map((address) => address.toString(16)).join("\n");
  const lines = run("/", "addr2line", ["-a", "-i", "-f", "-e", path], `${input}\n`).trim().split("\n");
  const found: Place[][] = [];
  for (let i = 0; i < lines.length; ) {
    if (/^0x[0-9a-f]{16}$/.test(lines[i]!)) {
      found.push([]);
      i++;
      continue;
    }
    const place = lines[i + 1]!.replace(/ \(discriminator \d+\)$/, "").replace(/:\?$/, ":0");
    found.at(-1)!.push([lines[i]!, place.endsWith(":0") ? noPlace : tidy(place)]);
    i += 2;
  }
  return found;
}

/** Places in the code of a program: of each of its functions as many. */
function addressesIn(path: string, most: number): readonly number[] {
  const source = openFile(path);
  const elf = Elf.parse(source, path);
  const text = elf.section(".text")!;
  const functions = [...elf.symbols("symtab")!.functions()].filter(
    ({ address, size }) => size > 0 && address >= text.address && address < text.address + BigInt(text.size),
  );
  source[Symbol.dispose]();
  const all = functions.flatMap(({ address, size }) => Array.from({ length: size }, (_, i) => Number(address) + i));
  const step = Math.max(1, Math.floor(all.length / most));
  return [...new Set(all.filter((_, i) => i % step === 0))].sort((a, b) => a - b);
}

const places = (frames: readonly Place[]): string => frames.map(([, place]) => place).join(" ");

for (const version of [4, 5])
  for (const [language, compiler, text] of [
    ["C", "gcc", cProgram],
    ["C++", "g++", cppProgram],
  ] as const) {
    // Its headers take their time.
    if (language === "C++" && version === 4) continue;
    const skip = lacks(compiler, "addr2line");
    test(`${language}, DWARF ${version}: places are addr2line's, and those of split units are the same`, {
      skip,
    }, (t) => {
      const folder = folderOf(t);
      const source = language === "C" ? "program.c" : "program.cpp";
      writeFileSync(join(folder, source), text);
      const flags = ["-O2", `-gdwarf-${version}`, source];
      run(folder, compiler, [...flags, "-o", "whole"]);
      const whole = join(folder, "whole");
      const addresses = addressesIn(whole, 700);
      const [found, wanted] = [ours(t, whole, addresses), theirs(whole, addresses)];
      assert.ok(wanted.filter((frames) => frames.length > 1).length > 100);
      for (const [i, frames] of wanted.entries()) {
        const address = addresses[i]!.toString(16);
        assert.equal(places(found[i]!), places(frames), `at ${address}: ${found[i]?.join(" ")} / ${frames.join(" ")}`);
        // Of the innermost and the outermost frame addr2line has the name that it takes for the symbol's, not the function's.
        assert.deepEqual(
          found[i]!.slice(1, -1).map(([name]) => name),
          frames.slice(1, -1).map(([name]) => name),
          address,
        );
      }
      run(folder, compiler, [...flags, "-gsplit-dwarf", "-o", "split"]);
      const split = join(folder, "split");
      assert.deepEqual(addressesIn(split, 700), addresses, "the same code");
      // Only what it is called differs.
      assert.deepEqual(ours(t, split, addresses), found);
      if (version === 5 || lacks("dwp") !== false) return;
      const alone = folderOf(t);
      run(folder, "dwp", ["-e", "split", "-o", join(alone, "split.dwp")]);
      copyFileSync(split, join(alone, "split"));
      for (const name of ["split-program.dwo"]) rmSync(join(folder, name));
      assert.deepEqual(ours(t, join(alone, "split"), addresses), found);
    });
  }

const rustProgram = `
use std::collections::HashMap;
trait Shape { fn area(&self) -> f64; }
struct Square(f64);
impl Shape for Square { fn area(&self) -> f64 { self.0 * self.0 } }
fn main() {
    let shapes: Vec<Box<dyn Shape>> = (0..50).map(|i| -> Box<dyn Shape> { Box::new(Square(i as f64)) }).collect();
    let mut areas: Vec<f64> = shapes.iter().map(|shape| shape.area()).collect();
    areas.sort_by(|a, b| b.partial_cmp(a).unwrap());
    let mut words = HashMap::new();
    for word in std::env::args() { *words.entry(word).or_insert(0) += 1; }
    println!("{:?} {:?}", areas.first(), words.len());
}
`;

test("Rust: places are addr2line's; split units and packages of LLVM are the same", {
  skip: lacks("rustc", "addr2line"),
}, (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, "program.rs"), rustProgram);
  const flags = ["-O", "-g", "-C", "codegen-units=2", "program.rs"];
  run(folder, "rustc", [...flags, "-o", "whole"]);
  const whole = join(folder, "whole");
  const addresses = addressesIn(whole, 500);
  const [found, wanted] = [ours(t, whole, addresses), theirs(whole, addresses)];
  assert.deepEqual(found.map(places), wanted.map(places));
  for (const how of ["unpacked", "packed"]) {
    run(folder, "rustc", [...flags, "-C", `split-debuginfo=${how}`, "-o", how]);
    assert.deepEqual(ours(t, join(folder, how), addresses).map(places), found.map(places));
  }
});

/** Mangled names of functions and variables in files, each once. */
function mangled(paths: readonly string[], pattern: RegExp): readonly string[] {
  const names = new Set<string>();
  for (const path of paths) {
    const source = openFile(path);
    const elf = Elf.parse(source, path);
    for (const table of ["symtab", "dynsym"] as const)
      for (const { name } of elf.symbols(table)?.functions() ?? []) {
        const [plain = ""] = name.split("@");
        if (pattern.test(plain)) names.add(plain);
      }
    source[Symbol.dispose]();
  }
  return [...names];
}

/** How many names are shown as c++filt does, of how many. */
function agreeing(
  names: readonly string[],
  flags: readonly string[],
  demangled: (name: string) => string | undefined,
): readonly [number, number] {
  const shown = run("/", "c++filt", flags, `${names.join("\n")}\n`).split("\n");
  return [names.filter((name, i) => (demangled(name) ?? name) === shown[i]).length, names.length];
}

const noFilt = lacks("c++filt");

test("names of C++ are those of c++filt: the C++ library, and Node.js", { skip: noFilt }, () => {
  const [line = ""] = spawnSync("gcc", ["-print-file-name=libstdc++.so.6"], { encoding: "utf8" }).stdout.split("\n");
  const files = [process.execPath, ...(line.startsWith("/") ? [line] : [])];
  const [same, all] = agreeing(mangled(files, /^_Z/), ["-i"], demangle);
  assert.ok(same / all > 0.9995, `${same} of ${all}`);
});

test("names of Rust, old and new, are those of c++filt", { skip: noFilt || lacks("rustc") }, (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, "program.rs"), rustProgram);
  const files = ["legacy", "v0"].map((version) => {
    const more = version === "v0" ? ["-C", "symbol-mangling-version=v0"] : [];
    run(folder, "rustc", ["-O", ...more, "-o", version, "program.rs"]);
    return join(folder, version);
  });
  const names = mangled(files, /^_R|^_ZN.*17h[0-9a-f]{16}E/);
  const [same, all] = agreeing(names, ["--format=rust", "-i"], demangleRust);
  assert.ok(names.some((name) => name.startsWith("_R")) && all > 200);
  assert.equal(same, all);
});

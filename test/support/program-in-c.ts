// Programs as C, for a compiler that others have written: what docs/language.md says of types becomes conversions in the text,
// what operators do is left to C, with integers that wrap around (-fwrapv).
import {
  type Contents,
  type Expression,
  type IntType,
  i64,
  type Place,
  type Program,
  type Statement,
  type Text,
  u64,
} from "./program-ast.js";

/** An expression of C, of type int64_t or uint64_t, and what the language knows of it. */
interface CValue {
  readonly text: string;
  readonly signed: boolean;
  /** Its type, if it has one that operators go by: not of truths and of literals as they are written. */
  readonly type?: IntType;
  /** Its value, where the language's compiler knows it. */
  readonly constant?: bigint;
}

const cType = ({ bits, signed }: IntType): string => `${signed ? "" : "u"}int${bits}_t`;
const wide = (signed: boolean): string => (signed ? "int64_t" : "uint64_t");
const as = (value: CValue, signed: boolean): string =>
  value.signed === signed ? value.text : `((${wide(signed)})${value.text})`;
const half = 1n << 63n;
const cName = (name: string): string => name.replace(/^[$@]/, "");

const prelude = `#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ROOM 4096
struct map { int count; uint64_t keys[ROOM][2]; uint64_t values[ROOM]; };
static struct map m, n, k, p, r;
static const char *s[4];
static uint64_t arg0, arg1, arg2;

static int find(struct map *map, uint64_t a, uint64_t b) {
  for (int i = 0; i < map->count; i++)
    if (map->keys[i][0] == a && map->keys[i][1] == b) return i;
  return -1;
}
static uint64_t get(struct map *map, uint64_t a, uint64_t b) {
  int i = find(map, a, b);
  return i < 0 ? 0 : map->values[i];
}
static uint64_t *at(struct map *map, uint64_t a, uint64_t b) {
  int i = find(map, a, b);
  if (i < 0) {
    i = map->count++;
    if (i == ROOM) __builtin_trap();
    map->keys[i][0] = a;
    map->keys[i][1] = b;
    map->values[i] = 0;
  }
  return &map->values[i];
}
/* Divided by 0 everything is 1; the smallest number divided by -1 wraps around. */
static int64_t sdiv(int64_t a, int64_t b) { return b == 0 ? 1 : b == -1 ? -a : a / b; }
static int64_t smod(int64_t a, int64_t b) { return b == 0 ? 1 : b == -1 ? 0 : a % b; }
static uint64_t udiv(uint64_t a, uint64_t b) { return b == 0 ? 1 : a / b; }
static uint64_t umod(uint64_t a, uint64_t b) { return b == 0 ? 1 : a % b; }
static const char *words(const char *text) { return text == NULL ? "" : text; }

static void show(const char *name, struct map *map, int parts) {
  for (int i = 0; i < map->count; i++) {
    printf("@%s\\t", name);
    for (int j = 0; j < parts; j++) printf(j == 0 ? "%llu" : ",%llu", (unsigned long long)map->keys[i][j]);
    printf("\\t%llu\\n", (unsigned long long)map->values[i]);
  }
  map->count = 0;
}
static void run(void (*program)(void), uint64_t a, uint64_t b, uint64_t c) {
  arg0 = a;
  arg1 = b;
  arg2 = c;
  memset(s, 0, sizeof s);
  program();
  show("m", &m, 0);
  show("n", &n, 1);
  show("k", &k, 1);
  show("p", &p, 2);
  show("r", &r, 1);
  for (int i = 0; i < 4; i++) if (s[i] != NULL) printf("@s\\t%d\\t\\"%s\\"\\n", i, s[i]);
  puts("end");
}
`;

/** One source of several programs, which runs each with all of its inputs; {@link parseResults} reads what it prints. */
export function programsInC(programs: readonly Program[]): string {
  const functions = programs.map((program, i) => `static void program${i}(void) {\n${new Writer(program).all()}\n}\n`);
  const literal = (value: bigint): string => `${value}ull`;
  const calls = programs.flatMap(({ inputs }, i) =>
    inputs.map((args) => `  run(program${i}, ${args.map(literal).join(", ")});`),
  );
  return `${prelude}\n${functions.join("\n")}\nint main(void) {\n${calls.join("\n")}\n  return 0;\n}\n`;
}

/** The maps after each run, in the order of programs and inputs. */
export function parseResults(output: string): readonly Contents[] {
  const runs: Record<string, Record<string, string>>[] = [];
  let maps: Record<string, Record<string, string>> = {};
  for (const line of output.split("\n")) {
    const [name = "", key = "", value = ""] = line.split("\t");
    if (name === "end") {
      runs.push(maps);
      maps = {};
    } else if (name !== "") {
      const entries = maps[name] ?? {};
      entries[key] = value;
      maps[name] = entries;
    }
  }
  return runs;
}

class Writer {
  private readonly program: Program;
  private readonly declared = new Set<string>();

  constructor(program: Program) {
    this.program = program;
  }

  all(): string {
    const body = this.statements(this.program.body);
    return `${[...this.declared].join("\n")}\n${body}`;
  }

  private typeOf(name: string): IntType {
    return this.program.types.get(name) ?? i64;
  }

  /** A variable of the function, whatever block has it: names are not used twice. */
  private variable(name: string): string {
    this.declared.add(`${cType(this.typeOf(name))} ${cName(name)} = 0;`);
    return cName(name);
  }

  private textVariable(name: string): string {
    this.declared.add(`const char *${cName(name)} = "";`);
    return cName(name);
  }

  private tupleItem(name: string, index: number): { readonly name: string; readonly type: IntType } {
    const type = this.program.tuples.get(name)?.[index] ?? i64;
    const item = `${cName(name)}_${index}`;
    this.declared.add(`${cType(type)} ${item} = 0;`);
    return { name: item, type };
  }

  private keys(key: readonly Expression[]): string {
    const [a = "0", b = "0"] = key.map((part) => as(this.value(part), false));
    return `${a}, ${b}`;
  }

  /** The place as something that can be assigned: an object of its type. */
  private object(place: Place): string {
    if (place.kind === "variable") return this.variable(place.name);
    return `(*(${wide(this.typeOf(place.map).signed)} *)at(&${cName(place.map)}, ${this.keys(place.key)}))`;
  }

  private ofType(text: string, type: IntType): CValue {
    return { text: `((${wide(type.signed)})${text})`, signed: type.signed, type };
  }

  private truth(text: string, constant?: bigint): CValue {
    return { text: `((uint64_t)(${text}))`, signed: false, ...(constant === undefined ? {} : { constant }) };
  }

  private text(e: Text): string {
    if (e.kind === "words") return JSON.stringify(e.value);
    return e.kind === "text-variable" ? this.textVariable(e.name) : `words(s[${as(this.value(e.key), false)}])`;
  }

  private value(e: Expression): CValue {
    switch (e.kind) {
      case "literal": {
        const signed = e.value < half;
        return { text: `((${wide(signed)})${e.value}ull)`, signed, constant: e.value };
      }
      case "argument":
        return { text: `arg${e.index}`, signed: false, type: u64 };
      case "variable":
        return this.ofType(this.variable(e.name), this.typeOf(e.name));
      case "entry":
        return this.ofType(`get(&${cName(e.map)}, ${this.keys(e.key)})`, this.typeOf(e.map));
      case "unary":
        return this.unary(e.op, this.value(e.of));
      case "cast": {
        const of = this.value(e.of);
        const cast = this.ofType(`((${cType(e.type)})${of.text})`, e.type);
        if (of.constant === undefined) return cast;
        const { bits, signed } = e.type;
        return { ...cast, constant: signed ? BigInt.asIntN(bits, of.constant) : BigInt.asUintN(bits, of.constant) };
      }
      case "binary":
        return this.binary(e.op, this.value(e.left), this.value(e.right));
      case "logical": {
        const [a, b] = [this.value(e.left), this.value(e.right)];
        const decides = a.constant !== undefined && (a.constant !== 0n) === (e.op === "||");
        const isKnown = decides || (a.constant !== undefined && b.constant !== undefined);
        const known = decides ? e.op === "||" : b.constant !== 0n;
        return this.truth(`${a.text} ${e.op} ${b.text}`, isKnown ? (known ? 1n : 0n) : undefined);
      }
      case "choice": {
        const type = holdingBoth(e.yes.type, e.no.type);
        const [yes, no] = [e.yes, e.no].map((way) => `(${cType(type)})${this.value(way).text}`);
        return this.ofType(`(${this.value(e.condition).text} ? ${yes} : ${no})`, type);
      }
      case "or-else": {
        const type = holdingBoth(e.value.type, e.no.type);
        const first = `${cType(e.value.type)} first = ${this.value(e.value).text};`;
        return this.ofType(
          `({ ${first} first ? (${cType(type)})first : (${cType(type)})${this.value(e.no).text}; })`,
          type,
        );
      }
      case "step": {
        const [place, op] = [this.object(e.place), e.by === 1 ? "++" : "--"];
        const type = this.typeOf(e.place.kind === "variable" ? e.place.name : e.place.map);
        return this.ofType(`(${e.prefix ? op + place : place + op})`, type);
      }
      case "same-text": {
        const known = e.left.kind === "words" && e.right.kind === "words";
        const constant = known && (e.left.value === e.right.value) === e.equal ? 1n : 0n;
        const text = `strcmp(${this.text(e.left)}, ${this.text(e.right)}) ${e.equal ? "==" : "!="} 0`;
        return this.truth(text, known ? constant : undefined);
      }
      case "item": {
        if (e.tuple.kind === "tuple-variable") {
          const { name, type } = this.tupleItem(e.tuple.name, e.index);
          return this.ofType(name, type);
        }
        const items = e.tuple.items.map((item) => this.value(item));
        const type = e.tuple.items[e.index]?.type ?? i64;
        const fields = e.tuple.items.map((item, i) => `${cType(item.type)} field${i};`).join(" ");
        const tuple = `(struct { ${fields} }){ ${items.map(({ text }) => text).join(", ")} }`;
        const value = this.ofType(`(${tuple}).field${e.index}`, type);
        const constant = items[e.index]?.constant;
        const isKnown = items.every((item) => item.constant !== undefined);
        return isKnown && constant !== undefined ? { ...value, constant } : value;
      }
      case "same-tuple": {
        // All items are computed, then compared.
        const pairs = e.left.map((item, i) => [this.value(item), this.value(e.right[i] ?? item)] as const);
        const same = pairs.map(([a, b]) => `(${as(a, false)} == ${as(b, false)})`).join(" & ");
        return this.truth(e.equal ? same : `!(${same})`);
      }
      case "block": {
        const body = this.statements(e.body);
        const value = this.value(e.value);
        return { ...value, text: `({ ${body} ${value.text}; })` };
      }
    }
  }

  private unary(op: "-" | "~" | "!", of: CValue): CValue {
    const { text, type, constant } = of;
    switch (op) {
      case "-": {
        if (type === undefined || type.signed) {
          const known = constant === undefined ? {} : { constant: BigInt.asIntN(64, -constant) };
          return { text: `(-${as(of, true)})`, signed: true, ...(constant === undefined ? { type: i64 } : known) };
        }
        const known = constant === undefined ? {} : { constant: BigInt.asUintN(type.bits, -constant) };
        return {
          text: `((uint64_t)(${cType(type)})(-${text}))`,
          signed: false,
          type,
          ...known,
        };
      }
      case "~": {
        if (type === undefined) return { text: `(~${as(of, false)})`, signed: false, type: u64 };
        if (type.signed) return { text: `(~${text})`, signed: true, type: i64 };
        return { text: `((uint64_t)(${cType(type)})(~${text}))`, signed: false, type };
      }
      case "!":
        return this.truth(`!${text}`, constant === undefined ? undefined : constant === 0n ? 1n : 0n);
    }
  }

  private binary(op: string, a: CValue, b: CValue): CValue {
    const small = ({ constant }: CValue): boolean => constant !== undefined && constant >= 0n && constant < half;
    const signed = a.signed === b.signed ? a.signed : small(a) ? b.signed : small(b) ? a.signed : true;
    const [x, y] = [as(a, signed), as(b, signed)];
    const known = foldC(op, a, b, signed);
    if (/^[=!<>]=?$/.test(op)) return this.truth(`${x} ${op} ${y}`, known);
    const letter = signed ? "s" : "u";
    const isShift = op === "<<" || op === ">>";
    const texts: Readonly<Record<string, string>> = {
      "/": `${letter}div(${x}, ${y})`,
      "%": `${letter}mod(${x}, ${y})`,
      "<<": `${a.text} << (${as(b, false)} & 63)`,
      ">>": `${a.text} >> (${as(b, false)} & 63)`,
    };
    const isSigned = known !== undefined ? known < half : isShift ? a.signed : signed || op === "-";
    const text = `((${wide(isSigned)})(${texts[op] ?? `${x} ${op} ${y}`}))`;
    const result: IntType = isSigned ? i64 : u64;
    if (known === undefined) return { text, signed: isSigned, type: result };
    const isCast = a.type !== undefined || b.type !== undefined;
    return { text, signed: isSigned, constant: known, ...(isCast ? { type: result } : {}) };
  }

  private statements(body: readonly Statement[]): string {
    return body.map((statement) => this.statement(statement)).join("\n");
  }

  private statement(s: Statement): string {
    switch (s.kind) {
      case "assign": {
        const value = this.value(s.value);
        if (s.op === "") return `${this.object(s.place)} = ${value.text};`;
        const name = s.place.kind === "variable" ? s.place.name : s.place.map;
        const type = this.typeOf(name);
        // What names the place is computed once.
        const result = this.binary(s.op, this.ofType("(*place)", type), { ...value, text: "value" });
        const before = `${wide(value.signed)} value = ${value.text}; ${cType(type)} *place = &${this.object(s.place)};`;
        return `{ ${before} *place = ${result.text}; }`;
      }
      case "let":
        return `${this.variable(s.name)} = ${this.value(s.value).text};`;
      case "effect":
        return `(void)${this.value(s.step).text};`;
      case "set-text": {
        const value = this.text(s.value);
        if (s.to.kind === "text-variable") return `${this.textVariable(s.to.name)} = ${value};`;
        return `{ const char *text = ${value}; s[${as(this.value(s.to.key), false)}] = text; }`;
      }
      case "set-tuple": {
        const items = s.items.map((item, i) => ({ to: this.tupleItem(s.name, i), value: this.value(item).text }));
        const before = items.map(({ to, value }, i) => `${cType(to.type)} item${i} = ${value};`).join(" ");
        return `{ ${before} ${items.map(({ to }, i) => `${to.name} = item${i};`).join(" ")} }`;
      }
      case "if":
        return `if (${this.value(s.condition).text}) {\n${this.statements(s.yes)}\n} else {\n${this.statements(s.no)}\n}`;
      case "leave":
        return `if (${this.value(s.condition).text}) ${s.how};`;
      case "unroll":
        return `for (int i = 0; i < ${s.times}; i++) {\n${this.statements(s.body)}\n}`;
      case "range": {
        const name = this.variable(s.variable);
        return `for (int64_t i = ${s.from}; i < ${s.to}; i++) {\n${name} = i;\n${this.statements(s.body)}\n}`;
      }
      case "while": {
        const name = this.variable(s.variable);
        return `${name} = 0;\nwhile (${name}++ < ${s.times}) {\n${this.statements(s.body)}\n}`;
      }
    }
  }
}

function holdingBoth(a: IntType, b: IntType): IntType {
  const bits = ([8, 16, 32, 64] as const).find((size) =>
    [a, b].every((each) => fitsInto(each, { bits: size, signed: a.signed || b.signed })),
  );
  return { bits: bits ?? 64, signed: a.signed || b.signed };
}

const fitsInto = (from: IntType, to: IntType): boolean =>
  from.signed === to.signed ? from.bits <= to.bits : !from.signed && from.bits < to.bits;

/** What two constants come to, as a number of the type that it has: signed whenever it fits. */
function foldC(op: string, a: CValue, b: CValue, signed: boolean): bigint | undefined {
  if (a.constant === undefined || b.constant === undefined) return undefined;
  const number = (value: bigint): bigint => (signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value));
  const [x, y, shift] = [number(a.constant), number(b.constant), b.constant & 63n];
  const yes = (truth: boolean): bigint => (truth ? 1n : 0n);
  const fit = (value: bigint): bigint =>
    !signed && value >= half ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value);
  switch (op) {
    case "+":
      return fit(x + y);
    case "-":
      return fit(x - y);
    case "*":
      return fit(x * y);
    case "/":
      return fit(x / y);
    case "%":
      return fit(x % y);
    case "&":
      return fit(x & y);
    case "|":
      return fit(x | y);
    case "^":
      return fit(x ^ y);
    case "<<":
      return fit(x << shift);
    case ">>":
      return fit(a.constant >> shift);
    case "==":
      return yes(x === y);
    case "!=":
      return yes(x !== y);
    case "<":
      return yes(x < y);
    case "<=":
      return yes(x <= y);
    case ">":
      return yes(x > y);
    default:
      return yes(x >= y);
  }
}

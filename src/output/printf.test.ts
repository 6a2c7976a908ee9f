import assert from "node:assert/strict";
import { test } from "node:test";
import { shownBits } from "../wire/printf.js";
import type { Value } from "../wire/value.js";
import { formatPrintf, parseFormat } from "./printf.js";

const int = (value: number | bigint): Value => ({ kind: "int", value: BigInt(value) });
const string = (value: string): Value => ({ kind: "string", value });
const tuple = (...items: Value[]): Value => ({ kind: "tuple", items });
const buffer = (...bytes: number[]): Value => ({ kind: "buffer", bytes: Uint8Array.from(bytes) });
const pointer = (value: bigint): Value => ({ kind: "pointer", value });

function printf(format: string, ...values: Value[]): string {
  const parsed = parseFormat(format);
  assert.deepEqual(parsed.errors, []);
  return formatPrintf(parsed, values);
}

test("numbers, as bpftrace 0.27.1 prints them", () => {
  const max = 2n ** 64n - 1n;
  assert.equal(
    printf("A[%d] [%d] [%ld] [%lld]", int(1n << 40n), int(max), int(max), int(1n << 40n)),
    "A[0] [-1] [-1] [1099511627776]",
  );
  assert.equal(
    printf("B[%u] [%u] [%lu] [%llu]", int(1n << 40n), int(-5), int(-5), int(-5)),
    "B[0] [4294967291] [18446744073709551611] [18446744073709551611]",
  );
  assert.equal(
    printf(
      "C[%x] [%X] [%#x] [%#X] [%lx] [%o] [%#o]",
      int(-5),
      int(0xabcdef),
      int(255),
      int(255),
      int(1n << 40n),
      int(8),
      int(8),
    ),
    "C[fffffffb] [ABCDEF] [0xff] [0XFF] [10000000000] [10] [010]",
  );
  assert.equal(
    printf("D[%5d] [%-5d] [%05d] [%+d] [% d]", int(42), int(42), int(42), int(42), int(42)),
    "D[   42] [42   ] [00042] [+42] [42]",
  );
  assert.equal(printf("F[%c] [%5c] [%-5c|]", int(65), int(66), int(67)), "F[A] [    B] [C    |]");
  assert.equal(
    printf("G[%p] [%p] [%20p] [%-20p] [%#p]", int(0), int(4096), int(4096), int(4096), int(255)),
    "G[0] [0x1000] [              0x1000] [0x1000              ] [0xff]",
  );
  assert.equal(
    printf(
      "H[%hhd] [%hd] [%hhu] [%hx] [%zd] [%jd] [%td]",
      int(300),
      int(70000),
      int(300),
      int(70000),
      int(1n << 40n),
      int(1n << 40n),
      int(1n << 40n),
    ),
    "H[44] [4464] [44] [1170] [1099511627776] [1099511627776] [1099511627776]",
  );
  assert.equal(printf("N[%.3d] [%8.3d] [%#x] [%#o]", int(5), int(5), int(0), int(0)), "N[5] [       5] [0] [0]");
  assert.equal(
    printf("Q[%d] [%u] [%x] [%i]", int(255), int(255), int(-1), int(1n << 31n)),
    "Q[255] [255] [ffffffff] [-2147483648]",
  );
  assert.equal(printf("R[%+5d] [%+05d] [%+x] [%+u]", int(42), int(42), int(42), int(42)), "R[  +42] [+0042] [2a] [42]");
});

test("where C differs from 0.27.1 and is what a script means", () => {
  assert.equal(printf("[%05d] [%-05d] [%#010x]", int(-42), int(42), int(255)), "[-0042] [42   ] [0x000000ff]");
  assert.equal(printf("[%-6.3s|]", string("abcdef")), "[abc   |]");
});

test("text", () => {
  assert.equal(
    printf("E[%8s] [%-8s] [%08s] [%3s]", string("abc"), string("abc"), string("abc"), string("abcdef")),
    "E[     abc] [abc     ] [00000abc] [abcdef]",
  );
  assert.equal(
    printf("I[%10s] [%-10s] [%10s]", tuple(int(1), string("a")), tuple(int(1), int(2)), { kind: "bool", value: true }),
    "I[         (1, a)] [(         1, 2)] [      true]",
  );
  assert.equal(
    printf("J[%s] [%5s] [%05s] [%+s] [%s]", int(5), int(5), int(5), int(5), int(2n ** 64n - 1n)),
    "J[5] [    5] [00005] [+5] [18446744073709551615]",
  );
  assert.equal(printf("K[%%] [%5%] %z %\n"), "K[%] [%] %z %\n");
  assert.equal(printf("T[%s] [%10s]", pointer(0n), pointer(0x1234n)), "T[0x0] [    0x1234]");
  const bb: Value = { kind: "enum", value: 1n, name: "BB" };
  assert.equal(printf("%s %d %x", bb, bb, bb), "BB 1 1");
  assert.equal(printf("%s %d", { kind: "bool", value: true }, { kind: "bool", value: true }), "true 1");
  assert.equal(printf("%*d|%.*s", int(5), string("ab")), "5|ab");
});

test("buffers", () => {
  const bytes = buffer(0x61, 1, 0xff, 0x7a);
  assert.equal(
    printf("%r|%rx|%rh|%s", bytes, bytes, bytes, bytes),
    "a\\x01\\xffz|\\x61\\x01\\xff\\x7a|61 01 ff 7a|a\\x01\\xffz",
  );
  assert.equal(
    printf("M[%20r] [%-20rx]", buffer(0x61, 0x62, 1), buffer(0x61, 0x62)),
    "M[              ab\\x01] [\\x61\\x62            ]",
  );
});

test("gfp flags", () => {
  assert.equal(printf("%gr %gr %gr", int(0), int(0xcc0), int(0xdc0)), "0 GFP_KERNEL GFP_KERNEL|__GFP_ZERO");
  assert.equal(printf("%gr", int(0x40000000 | 0xcc0)), "GFP_KERNEL|0x40000000");
});

test("what cannot be formatted is said with its place", () => {
  assert.deepEqual(parseFormat("a %5f b").errors, [{ start: 2, end: 5, message: "unsupported format specifier: f" }]);
  assert.equal(parseFormat("%99999999s").errors.length, 1);
  assert.equal(parseFormat("%lLd").errors.length, 1);
  assert.deepEqual(parseFormat("%d%k %").conversions.length, 1);
  const [first] = parseFormat("ab%-5lld!").conversions;
  assert.deepEqual([first?.start, first?.end, first?.specifier, first?.length, first?.width], [2, 8, "d", "ll", 5]);
});

test("what a conversion accepts and shows", () => {
  const accepts = (format: string) => parseFormat(format).conversions[0]!.accepts;
  assert.ok(accepts("%s").includes("stack"));
  assert.ok(accepts("%d").includes("enum") && !accepts("%d").includes("string"));
  assert.ok(accepts("%rx").includes("buffer") && !accepts("%rx").includes("int"));
  assert.deepEqual(parseFormat("%d%ld%hhx%s%p").conversions.map(shownBits), [32, 64, 8, undefined, undefined]);
});

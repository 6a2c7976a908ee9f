import { type CType, cInt, cVoid } from "./c-type.js";

export type SpecifierKind =
  | "ignored"
  | "typedef"
  | "word"
  | "record"
  | "enum"
  | "typeof"
  | "alignas"
  | "atomic"
  | "attribute";

const kinds: ReadonlyMap<string, SpecifierKind> = new Map(
  (
    [
      [
        "ignored",
        "const volatile restrict __const __const__ __volatile __volatile__ __restrict __restrict__ extern static inline " +
          "__inline __inline__ register auto _Noreturn _Thread_local __thread __extension__ __user __kernel __iomem " +
          "__rcu __percpu __force __nocast __bitwise __private __always_inline __maybe_unused __must_check __init __exit " +
          "constexpr _Nonnull _Nullable",
      ],
      ["typedef", "typedef"],
      [
        "word",
        "void char short int long float double signed unsigned __signed __signed__ _Bool bool _Complex __complex__ __int128 " +
          "__int128_t __uint128_t __float128 _Float128 _Float16 _Float32 _Float64 _Float32x _Float64x __builtin_va_list",
      ],
      ["record", "struct union"],
      ["enum", "enum"],
      ["typeof", "typeof __typeof __typeof__ typeof_unqual __typeof_unqual__"],
      ["alignas", "_Alignas alignas"],
      ["atomic", "_Atomic"],
      ["attribute", "__attribute__ __attribute"],
    ] as const
  ).flatMap(([kind, words]) => words.split(" ").map((word) => [word, kind] as const)),
);

/** What a name is among the specifiers of a declaration; undefined for any other name. */
export const specifierKind = (name: string): SpecifierKind | undefined => kinds.get(name);

/** The type that a set of words means, in any order: `long unsigned int` (C11 6.7.2). */
export function typeOfWords(words: readonly string[], charSigned: boolean): CType {
  const count = (word: string): number => words.filter((w) => w === word).length;
  const has = (...any: readonly string[]): boolean => any.some((word) => words.includes(word));
  const unsigned = has("unsigned");
  if (has("void")) return cVoid;
  if (has("_Bool", "bool")) return { kind: "bool" };
  if (has("__int128", "__int128_t", "__uint128_t", "__float128", "_Float128", "_Float64x"))
    return { kind: "opaque", size: 16, align: 16 };
  if (has("__builtin_va_list")) return { kind: "opaque", size: 24, align: 8 };
  const complex = has("_Complex", "__complex__") ? 2 : 1;
  const floating = (size: number): CType => ({ kind: "opaque", size: size * complex, align: size });
  if (has("float", "_Float32")) return floating(4);
  if (has("_Float16")) return floating(2);
  if (has("double", "_Float64", "_Float32x")) return floating(has("long") ? 16 : 8);
  if (has("char")) {
    if (unsigned) return cInt(1, false);
    if (has("signed", "__signed", "__signed__")) return cInt(1, true);
    return { kind: "int", size: 1, signed: charSigned, char: true };
  }
  if (has("short")) return cInt(2, !unsigned);
  if (count("long") > 0) return cInt(8, !unsigned);
  return cInt(4, !unsigned);
}

// Tables of the Itanium C++ ABI, section 5.1 (https://itanium-cxx-abi.github.io/cxx-abi/abi.html#mangling).

export const builtinTypes: ReadonlyMap<string, string> = new Map([
  ["v", "void"],
  ["w", "wchar_t"],
  ["b", "bool"],
  ["c", "char"],
  ["a", "signed char"],
  ["h", "unsigned char"],
  ["s", "short"],
  ["t", "unsigned short"],
  ["i", "int"],
  ["j", "unsigned int"],
  ["l", "long"],
  ["m", "unsigned long"],
  ["x", "long long"],
  ["y", "unsigned long long"],
  ["n", "__int128"],
  ["o", "unsigned __int128"],
  ["f", "float"],
  ["d", "double"],
  ["e", "long double"],
  ["g", "__float128"],
  ["z", "..."],
]);

/** After a `D`. */
export const extendedTypes: ReadonlyMap<string, string> = new Map([
  ["d", "decimal64"],
  ["e", "decimal128"],
  ["f", "decimal32"],
  ["h", "half"],
  ["i", "char32_t"],
  ["s", "char16_t"],
  ["u", "char8_t"],
  ["a", "auto"],
  ["c", "decltype(auto)"],
  ["n", "decltype(nullptr)"],
]);

/** What stands behind a literal of that type; other types are written as a cast. */
export const literalSuffixes: ReadonlyMap<string, string> = new Map([
  ["int", ""],
  ["unsigned int", "u"],
  ["long", "l"],
  ["unsigned long", "ul"],
  ["long long", "ll"],
  ["unsigned long long", "ull"],
]);

/** Substitutions of one letter after `S`. */
export const standardNames: ReadonlyMap<string, string> = new Map([
  ["a", "std::allocator"],
  ["b", "std::basic_string"],
  ["s", "std::string"],
  ["i", "std::istream"],
  ["o", "std::ostream"],
  ["d", "std::iostream"],
]);

/** The same in full, for constructors and destructors, whose name is the last part of it. */
export const standardNamesInFull: ReadonlyMap<string, string> = new Map([
  ["a", "std::allocator"],
  ["b", "std::basic_string"],
  ["s", "std::basic_string<char, std::char_traits<char>, std::allocator<char> >"],
  ["i", "std::basic_istream<char, std::char_traits<char> >"],
  ["o", "std::basic_ostream<char, std::char_traits<char> >"],
  ["d", "std::basic_iostream<char, std::char_traits<char> >"],
]);

export const operators: ReadonlyMap<string, { readonly text: string; readonly operands: 1 | 2 | 3 }> = new Map(
  (
    [
      ["nw", " new", 3],
      ["na", " new[]", 3],
      ["dl", " delete", 1],
      ["da", " delete[]", 1],
      ["aw", " co_await", 1],
      ["ps", "+", 1],
      ["ng", "-", 1],
      ["ad", "&", 1],
      ["de", "*", 1],
      ["co", "~", 1],
      ["pl", "+", 2],
      ["mi", "-", 2],
      ["ml", "*", 2],
      ["dv", "/", 2],
      ["rm", "%", 2],
      ["an", "&", 2],
      ["or", "|", 2],
      ["eo", "^", 2],
      ["aS", "=", 2],
      ["pL", "+=", 2],
      ["mI", "-=", 2],
      ["mL", "*=", 2],
      ["dV", "/=", 2],
      ["rM", "%=", 2],
      ["aN", "&=", 2],
      ["oR", "|=", 2],
      ["eO", "^=", 2],
      ["ls", "<<", 2],
      ["rs", ">>", 2],
      ["lS", "<<=", 2],
      ["rS", ">>=", 2],
      ["eq", "==", 2],
      ["ne", "!=", 2],
      ["lt", "<", 2],
      ["gt", ">", 2],
      ["le", "<=", 2],
      ["ge", ">=", 2],
      ["ss", "<=>", 2],
      ["nt", "!", 1],
      ["aa", "&&", 2],
      ["oo", "||", 2],
      ["pp", "++", 1],
      ["mm", "--", 1],
      ["cm", ",", 2],
      ["pm", "->*", 2],
      ["pt", "->", 2],
      ["cl", "()", 2],
      ["ix", "[]", 2],
      ["qu", "?", 3],
    ] as const
  ).map(([code, text, operands]) => [code, { text, operands }]),
);

/** Symbols that are made for something else: what stands before its name or type. */
export const specialNames: ReadonlyMap<string, { readonly prefix: string; readonly of: "type" | "name" | "encoding" }> =
  new Map([
    ["TV", { prefix: "vtable for ", of: "type" }],
    ["TT", { prefix: "VTT for ", of: "type" }],
    ["TI", { prefix: "typeinfo for ", of: "type" }],
    ["TS", { prefix: "typeinfo name for ", of: "type" }],
    ["TW", { prefix: "TLS wrapper function for ", of: "name" }],
    ["TH", { prefix: "TLS init function for ", of: "name" }],
    ["GV", { prefix: "guard variable for ", of: "name" }],
    ["GA", { prefix: "hidden alias for ", of: "encoding" }],
  ]);

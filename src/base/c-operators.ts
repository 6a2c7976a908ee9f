// Operators that C and the language of scripts share: spelling and precedence (C11 6.4.6, 6.5).

/** Binary operators by binding strength, loosest first; all group from the left. */
export const binaryLevels = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", ">", "<=", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
] as const;

export type BinaryOp = (typeof binaryLevels)[number][number];

/** How strongly a binary operator binds; undefined for any other text. */
export const strengthOf: ReadonlyMap<string, number> = new Map(
  binaryLevels.flatMap((ops, level) => ops.map((op) => [op, level] as const)),
);

/** Punctuators of more than one character, a longer one in front of its beginnings. */
export const longPunctuators = [
  "<<=",
  ">>=",
  "...",
  "<<",
  ">>",
  "<=",
  ">=",
  "==",
  "!=",
  "&&",
  "||",
  "++",
  "--",
  "->",
  "+=",
  "-=",
  "*=",
  "/=",
  "%=",
  "&=",
  "|=",
  "^=",
] as const;

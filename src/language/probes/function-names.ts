// How scripts write functions of programs: as the symbol table has them, or as their language does.
import { compileGlob, hasWildcard } from "../../base/glob.js";
import { demangle } from "../../formats/itanium-demangle.js";

export interface FunctionPattern {
  readonly text: string;
  /** It is the symbol of one function, letter by letter. */
  readonly exact: boolean;
  /** Whether a symbol is meant. */
  matches(symbol: string): boolean;
  /** The symbol as the pattern could have named it; undefined if it could not. */
  nameOf(symbol: string): string | undefined;
}

interface Language {
  matcher(pattern: string): (symbol: string) => boolean;
  nameOf(symbol: string): string | undefined;
}

/** In front of the function in an attach point: `uprobe:FILE:cpp:"ns::f"`. */
const languages: Readonly<Record<string, Language>> = { cpp: { matcher: cppMatcher, nameOf: cppName } };

export const isLanguage = (word: string): boolean => Object.hasOwn(languages, word);

export function functionPattern(text: string, language: string | undefined): FunctionPattern {
  const ofLanguage = language === undefined ? undefined : languages[language];
  const matches = compileGlob(text);
  if (ofLanguage === undefined) return { text, exact: !hasWildcard(text), matches, nameOf: (symbol) => symbol };
  const inLanguage = ofLanguage.matcher(text);
  const { nameOf } = ofLanguage;
  return { text, exact: false, matches: (symbol) => matches(symbol) || inLanguage(symbol), nameOf };
}

const cppFullName = (symbol: string): string | undefined => (symbol.startsWith("_Z") ? demangle(symbol) : undefined);

/** `ns::f` of a symbol of C++ (Itanium ABI); undefined of others. */
export function cppName(symbol: string): string | undefined {
  const name = cppFullName(symbol);
  return name === undefined ? undefined : withoutParameters(name);
}

/** Names of C++ (Itanium ABI); without parentheses in the pattern all overloads are meant. */
function cppMatcher(pattern: string): (symbol: string) => boolean {
  const matches = compileGlob(pattern);
  const nameOf = pattern.includes("(") ? cppFullName : cppName;
  return (symbol) => {
    const name = nameOf(symbol);
    return name !== undefined && matches(name);
  };
}

/** `ns::f(int, void (*)(char)) const` is `ns::f`. */
export const withoutParameters = (name: string): string => cutPair(name, name.lastIndexOf(")"), "(", ")");

/** `ns<int>::f<char>` is `ns<int>::f`. */
export const withoutTemplateArguments = (name: string): string =>
  name.endsWith(">") ? cutPair(name, name.length - 1, "<", ">") : name;

/** What is in front of the bracket that the one at `end` closes. */
function cutPair(name: string, end: number, open: string, close: string): string {
  let depth = 0;
  for (let at = end; at >= 0; at--) {
    if (name[at] === close) depth++;
    else if (name[at] === open && --depth === 0) return name.slice(0, at);
  }
  return name;
}

import { decodeBytes, encodeBytes } from "../base/byte-text.js";
import { demangle } from "../formats/itanium-demangle.js";
import { demangleRust } from "../formats/rust-demangle.js";

/** Of all names that are kept, before and after. */
const maxCharacters = 8 << 20;

/** The linker's names of functions as people write them; libraries that were built from the same code have them in common. */
export class ShownNames {
  private readonly demangles: boolean;
  private readonly onFull: () => void;
  private names = new Map<string, string>();
  private characters = 0;

  /** `demangles`: names of C++ and Rust are shown as they were written. `onFull`: all were forgotten. */
  constructor(demangles: boolean, onFull: () => void) {
    this.demangles = demangles;
    this.onFull = onFull;
  }

  /** What `symbol` is shown as. */
  of(symbol: string): string {
    const known = this.names.get(symbol);
    if (known !== undefined) return known;
    // Full symbol tables append the version of a versioned function: pthread_cond_signal@@GLIBC_2.3.2
    const version = symbol.indexOf("@");
    const name = version > 0 ? symbol.slice(0, version) : symbol;
    const shown = this.demangles && /^_[ZR]/.test(name) ? flat(demangleRust(name) ?? demangle(name) ?? name) : name;
    const characters = symbol.length + shown.length;
    if (this.characters + characters > maxCharacters) {
      this.names = new Map();
      this.characters = 0;
      this.onFull();
    }
    this.names.set(symbol, shown);
    this.characters += characters;
    return shown;
  }
}

/** The same text in one piece: put together of many, it would keep each of them in memory. */
const flat = (text: string): string => decodeBytes(encodeBytes(text));

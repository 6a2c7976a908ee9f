import { type BtfId, btfId } from "../base/branded.js";
import { type RawKind, vlenOf } from "./btf-scan.js";
import type { BtfMember, BtfType } from "./btf-types.js";

/** What a type refers to. */
interface Names {
  string(offset: number): string;
  oldBitField(id: BtfId): number;
}

/** The type whose words begin at `start` of the type section: Documentation/bpf/btf.rst, Linux 6.12. */
export function decodeType(words: Uint32Array, start: number, kind: RawKind, names: Names): BtfType {
  const word = (i: number): number => words[start + i] ?? 0;
  const info = word(1);
  const vlen = vlenOf(info);
  const kindFlag = info >>> 31 === 1;
  const name = names.string(word(0));
  const to = btfId(word(2));
  switch (kind) {
    case "int": {
      const encoding = (word(3) >>> 24) & 0xf;
      return {
        kind,
        name,
        size: word(2),
        bits: word(3) & 0xff,
        signed: (encoding & 1) !== 0,
        char: (encoding & 2) !== 0,
        bool: (encoding & 4) !== 0,
      };
    }
    case "pointer":
      return { kind, to };
    case "array":
      return { kind, of: btfId(word(3)), index: btfId(word(4)), count: word(5) };
    case "struct":
    case "union": {
      const members = items(vlen, (i) => memberAt(words, start + 3 + 3 * i, kindFlag, names));
      return { kind, name, size: word(2), members };
    }
    case "enum": {
      const values = items(vlen, (i) => {
        const value = word(4 + 2 * i);
        return { name: names.string(word(3 + 2 * i)), value: BigInt(kindFlag ? value | 0 : value) };
      });
      return { kind, name, size: word(2), signed: kindFlag, values };
    }
    case "enum64": {
      const values = items(vlen, (i) => {
        const value = (BigInt(word(5 + 3 * i)) << 32n) | BigInt(word(4 + 3 * i));
        return { name: names.string(word(3 + 3 * i)), value: kindFlag ? BigInt.asIntN(64, value) : value };
      });
      return { kind: "enum", name, size: word(2), signed: kindFlag, values };
    }
    case "forward":
      return { kind, name, union: kindFlag };
    case "typedef":
    case "type-tag":
      return { kind, name, to };
    case "const":
    case "volatile":
    case "restrict":
      return { kind, to };
    case "func":
      return { kind, name, proto: to, linkage: vlen };
    case "func-proto": {
      const params = items(vlen, (i) => ({ name: names.string(word(3 + 2 * i)), type: btfId(word(4 + 2 * i)) }));
      return { kind, returns: to, params };
    }
    case "var":
      return { kind, name, type: to, linkage: word(3) };
    case "datasec": {
      const vars = items(vlen, (i) => ({
        type: btfId(word(3 + 3 * i)),
        offset: word(4 + 3 * i),
        size: word(5 + 3 * i),
      }));
      return { kind, name, size: word(2), vars };
    }
    case "float":
      return { kind, name, size: word(2) };
    case "decl-tag":
      return { kind, name, to, component: word(3) | 0 };
    case "void":
      return { kind };
  }
}

function memberAt(words: Uint32Array, at: number, kindFlag: boolean, names: Names): BtfMember {
  const name = names.string(words[at] ?? 0);
  const type = btfId(words[at + 1] ?? 0);
  const offset = words[at + 2] ?? 0;
  if (kindFlag) return { name, type, bitOffset: offset & 0xffffff, bitSize: offset >>> 24 };
  return { name, type, bitOffset: offset, bitSize: names.oldBitField(type) };
}

function items<T>(count: number, make: (i: number) => T): readonly T[] {
  const made: T[] = [];
  for (let i = 0; i < count; i++) made.push(make(i));
  return made;
}

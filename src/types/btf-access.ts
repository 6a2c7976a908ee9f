import type { BtfId } from "../base/branded.js";
import type { Btf } from "../formats/btf.js";

/** Deeper than structures are nested. */
const maxDepth = 32;

/**
 * What a program may load directly at a pointer to a structure whose type the verifier knows: a number, or a pointer to
 * another structure that it then knows as well. Undefined where the verifier refuses, or where kernels differ in that:
 * bit fields, unions, parts of a pointer, pointers with tags. btf_struct_walk(), kernel/bpf/btf.c, v5.5 to v6.18.
 */
export function directAccess(
  btf: Btf,
  record: BtfId,
  offset: number,
  size: number,
): "number" | "structure" | undefined {
  let [id, at] = [record, offset];
  for (let depth = 0; depth < maxDepth; depth++) {
    const { type } = btf.strip(id);
    if (type.kind !== "struct") return undefined;
    const member = type.members.find(
      (m) => 8 * at >= m.bitOffset && 8 * (at + size) <= m.bitOffset + 8 * btf.sizeOf(m.type),
    );
    if (member === undefined || member.bitSize > 0 || member.bitOffset % 8 !== 0) return undefined;
    at -= member.bitOffset / 8;
    let inner = btf.strip(member.type);
    for (let i = 0; inner.type.kind === "array" && i < maxDepth; i++) {
      const element = btf.sizeOf(inner.type.of);
      if (element === 0) return undefined;
      at %= element;
      inner = btf.strip(inner.type.of);
    }
    switch (inner.type.kind) {
      case "int":
      case "enum":
        return at === 0 && size === inner.type.size && size <= 8 ? "number" : undefined;
      case "pointer":
        return at === 0 && size === 8 ? pointerHolds(btf, inner.type.to) : undefined;
      case "struct":
        id = inner.id;
        break;
      default:
        return undefined;
    }
  }
  return undefined;
}

function pointerHolds(btf: Btf, to: BtfId): "number" | "structure" | undefined {
  if (btf.tagsOf(to).length > 0) return undefined;
  const { kind } = btf.strip(to).type;
  return kind === "struct" || kind === "union" ? "structure" : "number";
}

/**
 * What the verifier takes an argument or result of a traced function for: a pointer to a structure, a number, or (`other`)
 * something that it refuses to let a program load from its context. btf_ctx_access(), kernel/bpf/btf.c, v5.5 to v6.18.
 */
export function argumentHolds(btf: Btf, id: BtfId): "number" | "structure" | "other" {
  const { type } = btf.strip(id);
  if (type.kind !== "pointer") return "number";
  const { kind } = btf.strip(type.to).type;
  if (kind === "void" || kind === "int") return "number";
  return kind === "struct" || kind === "union" ? "structure" : "other";
}

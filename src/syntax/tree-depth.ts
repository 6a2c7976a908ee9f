import type { Span } from "../base/span.js";
import type { AstExpr, AstStatement } from "./ast.js";

/**
 * Later stages walk the tree by recursion. The parser bounds nesting by its own recursion, but `a + a + a ...` and
 * `p->next->next ...` are loops in the grammar and towers in the tree.
 */
const maxDepth = 1000;

/** The place of a node that lies deeper in the tree than any script's, if there is one. Walks without recursion. */
export function findTooDeep(roots: readonly (AstExpr | AstStatement)[]): Span | undefined {
  const pending: { readonly node: object; readonly depth: number }[] = roots.map((node) => ({ node, depth: 0 }));
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, depth } = next;
    if (depth > maxDepth) return "span" in node ? (node.span as Span) : undefined;
    for (const [key, child] of Object.entries(node)) {
      if (typeof child !== "object" || child === null || key === "span" || key.endsWith("Span")) continue;
      if (!Array.isArray(child)) pending.push({ node: child, depth: depth + 1 });
      else for (const item of child) if (typeof item === "object") pending.push({ node: item, depth: depth + 1 });
    }
  }
  return undefined;
}

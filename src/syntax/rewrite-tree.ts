/** A node of the syntax tree: an expression, a statement, a type's name. */
export interface TreeNode {
  readonly kind: string;
}

/**
 * A copy of (a piece of) the syntax tree with some nodes replaced: `replace` is asked for each node from the outside in,
 * and what it answers is taken as it is; without an answer the node's children are looked at. What has not changed is
 * not copied.
 */
export function rewriteTree<T>(tree: T, replace: (node: TreeNode) => object | undefined): T {
  if (Array.isArray(tree)) return rewriteList(tree, replace) as T;
  if (typeof tree !== "object" || tree === null) return tree;
  if ("kind" in tree && typeof tree.kind === "string") {
    const replaced = replace(tree as unknown as TreeNode);
    if (replaced !== undefined) return replaced as T;
  }
  return rewriteChildren(tree, replace);
}

/** The same for the children of a node only. */
export function rewriteChildren<T extends object>(node: T, replace: (node: TreeNode) => object | undefined): T {
  const changed: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(node)) {
    if (typeof child !== "object" || child === null || key === "span" || key.endsWith("Span")) continue;
    const done = rewriteTree(child, replace);
    if (done !== child) changed[key] = done;
  }
  return Object.keys(changed).length === 0 ? node : { ...node, ...changed };
}

function rewriteList(list: readonly unknown[], replace: (node: TreeNode) => object | undefined): readonly unknown[] {
  let changed = false;
  const done = list.map((item) => {
    const replaced = rewriteTree(item, replace);
    changed ||= replaced !== item;
    return replaced;
  });
  return changed ? done : list;
}

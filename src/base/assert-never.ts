/** The last arm of a switch over a union: a new member stops the build where this stands. */
export function assertNever(value: never): never {
  throw new Error(`internal: unexpected ${JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `${v}n` : v))}`);
}

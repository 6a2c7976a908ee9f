import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout, seen from build/js/test/support. */
export const root = join(fileURLToPath(import.meta.url), "../../../../..");
export const program = join(root, "dist/beetrace.js");

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

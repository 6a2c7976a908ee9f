import type { LoadedObject } from "../load/loaded-object.js";
import type { Sys } from "../sys/sys.js";
import { isThere, isTreeGone } from "./process-tree.js";

/** How often the process of -p is looked at. */
const checkMilliseconds = 100;

/** Processes of a tree are looked up one by one at each so many of these looks. */
const looksPerSweep = 10;

/** Tells when there is nothing left of what a trace is limited to: a process, or a tree of them. What it answers ends that. */
export function watchTargets(
  sys: Sys,
  loaded: LoadedObject,
  {
    pid,
    root,
    onEnd,
  }: { readonly pid: number | undefined; readonly root: number | undefined; readonly onEnd: () => void },
): () => void {
  if (pid === undefined && root === undefined) return () => undefined;
  let looks = 0;
  const timer = setInterval(() => {
    if (pid !== undefined && !isThere(pid)) onEnd();
    else if (root !== undefined && isTreeGone(sys, loaded, ++looks % looksPerSweep === 0)) onEnd();
  }, checkMilliseconds);
  return () => clearInterval(timer);
}

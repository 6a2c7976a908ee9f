// Control groups: the current one's id, ids of paths, paths of ids.

import { u64 } from "../../types/type.js";
import { cgroupPathLayout } from "../../wire/layout.js";
import type { Builtin } from "../builtin.js";
import { builtin, literalText, valueArg } from "./define.js";

const cgroup = builtin({
  name: "cgroup",
  bare: true,
  params: [],
  type: u64,
  doc: "Id of the current process's cgroup (version 2): the inode number of its directory.",
  since: "4.18",
  value: (l) => l.b.call("get_current_cgroup_id", []),
});

const cgroupid: Builtin = {
  name: "cgroupid",
  params: [{ name: "path", kind: "literal-string" }],
  doc: "Id of the cgroup (version 2) whose directory this is; known when the script is compiled.",
  result: ({ kernel, diags, span }, args) => {
    const id = kernel.cgroupId(literalText(args, 0));
    if (typeof id !== "bigint") {
      diags.error("no-cgroup", span, id.missing, { hint: "cgroups are directories, most often under /sys/fs/cgroup" });
    }
    return u64;
  },
  rewrite: ({ kernel, span }, args, type) => {
    const id = kernel.cgroupId(literalText(args, 0));
    return { kind: "const", value: typeof id === "bigint" ? id : 0n, type, span };
  },
};

const cgroupPath: Builtin = {
  name: "cgroup_path",
  params: [
    { name: "id", kind: "int" },
    { name: "hierarchies", kind: "literal-string", optional: true },
  ],
  doc: "Paths of a cgroup by its id, as hierarchy:path, looked up when they are printed; a pattern chooses hierarchies, of which version 2 is called unified.",
  result: () => ({ kind: "cgroup-path" }),
  into: (l, args, _type, dest) => {
    const { b } = l;
    b.store(8, dest.base, dest.offset + cgroupPathLayout.id, l.value(valueArg(args, 0)));
    const pattern = args.length > 1 ? 1 + l.text(literalText(args, 1)) : 0;
    b.store(8, dest.base, dest.offset + cgroupPathLayout.pattern, b.const(pattern));
  },
};

export const cgroupBuiltins: readonly Builtin[] = [cgroup, cgroupid, cgroupPath];

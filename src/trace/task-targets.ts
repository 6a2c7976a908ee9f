// What the targets of the command line and of attach() mean on this machine: names to numbers, containers to directories.

import { closeSync, openSync, readFileSync, statfsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { zeroed } from "../abi/struct.js";
import { pathOf } from "../base/byte-text.js";
import { BeetraceError } from "../base/errors.js";
import { nearest } from "../base/nearest.js";
import { containerPath } from "../formats/container-path.js";
import { allProcesses } from "../kernel/process-files.js";
import type { KernelView } from "../language/kernel-view.js";
import type { TaskFilter } from "../language/task-filter.js";
import type { LoadedObject } from "../load/loaded-object.js";
import { currentFolder, readText } from "../sys/byte-files.js";
import { mapUpdate } from "../sys/map-calls.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";
import { systemMaps } from "../wire/map-storage.js";
import { directories, readHierarchies } from "./cgroups.js";
import { readPasswd } from "./passwd.js";
import { isThere } from "./process-tree.js";

/** A target that is not there, or cannot be limited to. */
export class TargetError extends BeetraceError {}

/** Targets as a user names them. All must hold; of lists one of the entries. */
export interface TargetOptions {
  /** A process: all of its threads. The trace ends with it. */
  readonly pid?: number | undefined;
  /** A process and its descendants, followed as they fork. The trace ends with the last of them. */
  readonly tree?: number | undefined;
  /** Directories of control groups (version 2), as paths or relative to where that hierarchy is mounted. */
  readonly cgroup?: readonly string[] | undefined;
  /** Containers by their ids, or the first digits of them. */
  readonly container?: readonly string[] | undefined;
  /** Users by name or number. */
  readonly uid?: readonly string[] | undefined;
  /** Names of threads; the kernel keeps 15 bytes of them. */
  readonly comm?: readonly string[] | undefined;
}

/** The same, ready for the compiler and the loader. */
export interface TaskTargets {
  readonly filter: TaskFilter;
  /** Process at the root of the tree. */
  readonly root: number | undefined;
  /** Paths of control groups. */
  readonly cgroups: readonly string[];
}

/** uapi/linux/magic.h. */
const CGROUP2_SUPER_MAGIC = 0x63677270;
const CGROUP_SUPER_MAGIC = 0x27e0eb;

/** Looks everything up; throws TargetError where something is not there. */
export function resolveTargets(options: TargetOptions, kernel: KernelView): TaskTargets {
  const { pid, tree, uid = [], comm = [] } = options;
  if (pid !== undefined) requireProcess(pid);
  if (tree !== undefined) {
    requireProcess(tree);
    if (kernel.pidNamespace() !== undefined)
      throw new TargetError("a tree of processes can be followed from the initial pid namespace only", {
        hint: "start the tracer outside of the container, or in one that shares the host's pid namespace (--pid=host)",
      });
  }
  const cgroups = [
    ...(options.cgroup ?? []).map(cgroupDirectory),
    ...(options.container ?? []).map((id) => containerDirectory(id)),
  ];
  return {
    filter: {
      process: pid,
      tree: tree !== undefined,
      cgroups: cgroups.length,
      users: uid.length === 0 ? undefined : uid.map(userId),
      names: comm.length === 0 ? undefined : comm,
    },
    root: tree,
    cgroups,
  };
}

/** Throws TargetError if there is no process of that number. */
export function requireProcess(pid: number): void {
  let status = "";
  try {
    status = readFileSync(`/proc/${pid}/status`, "latin1");
  } catch {
    throw new TargetError(`there is no process ${pid}`, { hint: "ps -e lists the processes" });
  }
  const process = /^Tgid:\s*(\d+)$/m.exec(status)?.[1];
  if (process !== undefined && Number(process) !== pid)
    throw new TargetError(`${pid} is a thread of process ${process}`, {
      hint: `give the process; /tid == ${pid}/ in the script chooses the thread`,
    });
  if (!isThere(pid))
    throw new TargetError(`process ${pid} has ended, and its parent has not waited for it yet`, {
      hint: "such a zombie runs nothing that could be traced",
    });
}

/** Gives the loaded programs the control groups that they are limited to. */
export function enterCgroups(sys: Sys, loaded: LoadedObject, paths: readonly string[]): void {
  for (const [index, path] of paths.entries()) {
    const [key, value] = [zeroed(4), zeroed(4)];
    new DataView(key.buffer).setUint32(0, index, true);
    const fd = openDirectory(path);
    try {
      new DataView(value.buffer).setUint32(0, fd, true);
      mapUpdate(sys, loaded.map(systemMaps.cgroups).fd, key, value);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      throw new TargetError(`${path} is no control group that programs can be limited to: ${error.message}`, {
        cause: error,
      });
    } finally {
      closeSync(fd);
    }
  }
}

function openDirectory(path: string): number {
  try {
    return openSync(pathOf(path), "r");
  } catch (error) {
    throw new TargetError(`the control group ${path} is gone: ${(error as Error).message}`);
  }
}

/** Where hierarchies of version 2 are mounted. */
const unified = (): readonly string[] =>
  readHierarchies().flatMap(({ name, mountPoint }) => (name === "unified" ? [mountPoint] : []));

function cgroupDirectory(written: string): string {
  const mounts = unified();
  const places = [resolve(currentFolder(), written), ...mounts.map((mount) => join(mount, written))];
  const found = places.find((place) => statSync(pathOf(place), { throwIfNoEntry: false })?.isDirectory() === true);
  if (found === undefined)
    throw new TargetError(`there is no control group '${written}'`, {
      hint:
        mounts.length === 0
          ? "no cgroup file system of version 2 is mounted: mount -t cgroup2 none /sys/fs/cgroup"
          : `it is a directory below ${mounts.join(" or ")}, e.g. ${join(mounts[0] ?? "", "system.slice/ssh.service")}`,
    });
  const { type } = statfsSync(pathOf(found));
  if (type === CGROUP2_SUPER_MAGIC) return found;
  const what =
    type === CGROUP_SUPER_MAGIC ? "is a control group of version 1" : "is a directory, but not of a control group";
  throw new TargetError(`${found} ${what}`, {
    hint:
      mounts.length === 0
        ? "programs can be limited to control groups of version 2, and none are mounted"
        : `programs can be limited to control groups of version 2, which are below ${mounts.join(" or ")}`,
  });
}

function containerDirectory(id: string): string {
  const mounts = unified();
  const found = new Set<string>();
  for (const mount of mounts) {
    for (const path of directories(mount)) {
      const group = containerPath(path, id);
      if (group !== undefined) found.add(join(mount, group));
    }
  }
  const [only] = found;
  if (found.size === 1 && only !== undefined) return only;
  if (found.size > 1)
    throw new TargetError(`${found.size} containers have ids that begin with '${id}'`, {
      hint: `write more of it: ${[...found].join(", ")}`,
    });
  const elsewhere = containerElsewhere(id);
  if (elsewhere !== undefined)
    throw new TargetError(`the control group of container '${id}' cannot be reached: ${elsewhere}`, {
      hint: `--tree with the process id of its first process follows it, too`,
    });
  throw new TargetError(`there is no running container '${id}'`, {
    hint: "--container takes an id as docker ps, podman ps or crictl ps show it, or its first digits",
  });
}

/** Where a process of the container says that it is, if no mounted hierarchy of version 2 has it. */
function containerElsewhere(id: string): string | undefined {
  for (const pid of allProcesses()) {
    for (const line of readProcessGroups(pid)) {
      // cgroups(7): hierarchy-ID:controller-list:cgroup-path.
      const [hierarchy = "", controllers = "", ...path] = line.split(":");
      if (containerPath(path.join(":"), id) === undefined) continue;
      return hierarchy === "0"
        ? `process ${pid} is in ${path.join(":")}, which is below no mounted cgroup file system`
        : `process ${pid} is in it in a hierarchy of version 1 (${controllers}), and programs know version 2 only`;
    }
  }
  return undefined;
}

function readProcessGroups(process: number): readonly string[] {
  try {
    return readText(`/proc/${process}/cgroup`).split("\n");
  } catch {
    // It has ended.
    return [];
  }
}

function userId(written: string): number {
  if (/^\d+$/.test(written)) {
    const uid = Number(written);
    if (uid < 2 ** 32 - 1) return uid;
    throw new TargetError(`${written} is no user id: they are below ${2 ** 32 - 1}`);
  }
  const users = readUsers();
  const found = users.get(written);
  if (found !== undefined) return found;
  const near = nearest(written, users.keys());
  throw new TargetError(`there is no user '${written}' in /etc/passwd`, {
    hint: near === undefined ? "its number will do, too: id -u NAME" : `did you mean '${near}'? Or give its number`,
  });
}

/** Ids of users by name. */
function readUsers(): ReadonlyMap<string, number> {
  const users = new Map<string, number>();
  for (const { name, uid } of readPasswd()) if (!users.has(name)) users.set(name, Number(uid));
  return users;
}

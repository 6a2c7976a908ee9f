// What can keep a run from hearing signals: each sets a stage and says what is run there.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Stage {
  readonly folder: string;
  /** Where the run's standard output goes. */
  readonly stdout: number | "ignore";
  dispose(): void;
}

export interface Strain {
  readonly name: string;
  /** Arguments of runs, one of which is taken; FOLDER stands for the stage's folder. */
  readonly variants: readonly (readonly string[])[];
  /** Milliseconds after the start, from and to, in which the first signal is sent. */
  readonly moments: readonly [number, number];
  prepare(): Stage;
}

function stage(
  stdout: (folder: string) => number | "ignore",
  cleanUp: (folder: string) => void = () => undefined,
): Stage {
  const folder = mkdtempSync(join(tmpdir(), "strain-"));
  const fd = stdout(folder);
  return {
    folder,
    stdout: fd,
    dispose: () => {
      if (fd !== "ignore") closeSync(fd);
      cleanUp(folder);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function must(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}

/** A pipe that nobody reads, and that has a reader, so that writing to it waits and does not fail. */
function fullPipe(folder: string): number {
  const path = join(folder, "pipe");
  must("mkfifo", path);
  return openSync(path, "r+");
}

const line = "x".repeat(60);
const writing = [
  `interval:ms:1 { printf("${line}\\n"); }`,
  `begin { for ($i : 0..100000) { printf("%d ${line}\\n", $i); } } interval:ms:5 { printf("${line}\\n"); }`,
  `begin { for ($i : 0..3000) { @[$i] = $i; } } interval:ms:10 { print(@); }`,
  `t:syscalls:sys_enter_* { printf("%s ${line}\\n", probe); } end { print("the end"); }`,
];
const million =
  "config = { max_map_keys = 1100000 } begin { for ($i : 0..1000000) { @[$i] = $i } } interval:ms:100 { print(@); }";
const cats = [
  'begin { cat("FOLDER/pipe"); }',
  'interval:ms:50 { cat("FOLDER/pipe"); }',
  'interval:ms:10 { @ = count(); printf("x\\n"); } end { cat("FOLDER/pipe"); }',
];
const scripts = (list: readonly string[]): readonly (readonly string[])[] => list.map((script) => ["-e", script]);

/** Some 300 processes a second, for half an hour at most. */
function storm(): () => void {
  const text =
    "n=0; while [ $n -lt 18000 ]; do n=$((n+1)); for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29; do /bin/true; done; sleep 0.1; done";
  const child = spawn("/bin/sh", ["-c", text], { stdio: "ignore" });
  return () => child.kill("SIGKILL");
}

export const strains: readonly Strain[] = [
  {
    name: "full pipe",
    variants: [...scripts(writing), ...scripts(writing).map((args) => [...args, "-f", "json"])],
    moments: [0, 1500],
    prepare: () => stage(fullPipe),
  },
  {
    name: "full disk",
    variants: [...scripts(writing), ...scripts(writing).map((args) => [...args, "-o", "FOLDER/tiny/out"])],
    moments: [0, 1500],
    prepare: () =>
      stage(
        (folder) => {
          const tiny = join(folder, "tiny");
          must("mkdir", tiny);
          must("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tiny);
          return openSync("/dev/full", "w");
        },
        (folder) => must("umount", "-l", join(folder, "tiny")),
      ),
  },
  {
    name: "million-key print",
    variants: [
      ["-e", million],
      ["-e", million, "-f", "json"],
      ["-e", million, "-o", "FOLDER/out"],
    ],
    // Filling the map takes a second and a half.
    moments: [1200, 4000],
    prepare: () => stage(() => "ignore"),
  },
  {
    name: "exec storm",
    variants: scripts([
      't:syscalls:sys_enter_execve { printf("%-10u %-6d %s ", elapsed / 1000000, pid, comm); join(args.argv); }',
      't:sched:sched_process_exec { printf("%d %s\\n", pid, str(args.filename)); @[ustack] = count(); } t:sched:sched_process_exit { @ended[comm] = count(); }',
      "profile:hz:499 { @[comm, ustack, kstack] = count(); } uprobe:libc:malloc { @m[pid] = count(); }",
    ]),
    moments: [0, 1500],
    prepare: () => {
      const end = storm();
      return stage(() => "ignore", end);
    },
  },
  {
    name: "blocked cat",
    variants: scripts(cats),
    moments: [0, 1500],
    prepare: () =>
      stage((folder) => {
        must("mkfifo", join(folder, "pipe"));
        return "ignore";
      }),
  },
];

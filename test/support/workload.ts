import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";

/** Debian's: what PATH finds may be a shell script that runs others first. */
export const python = "/usr/bin/python3";

/** `dd` that reads `count` bytes one by one and writes them one by one. */
export const dd = (count: number): string => `dd if=/dev/zero of=/dev/null bs=1 count=${count} status=none`;

/** Opens a file by name exactly `count` times, in this process. */
export function openTimes(path: string, count: number): void {
  for (let i = 0; i < count; i++) closeSync(openSync(path, "r"));
}

/** Reads one byte `count` times in one process. */
export function readBytes(path: string, count: number): void {
  const fd = openSync(path, "r");
  const byte = new Uint8Array(1);
  for (let i = 0; i < count; i++) readSync(fd, byte);
  closeSync(fd);
}

/** Runs a shell command to its end. */
export function shell(command: string): string {
  const { stdout, stderr, status } = spawnSync("/bin/sh", ["-c", command], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
  return stdout;
}

/** The first child of a process, if it has one. Not every kernel has /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN). */
export function childOf(parent: number): number | undefined {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${name}/stat`, "latin1");
    } catch {
      continue; // It has ended meanwhile.
    }
    // proc_pid_stat(5): behind the name in parentheses come the state and the parent.
    if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent) return Number(name);
  }
  return undefined;
}

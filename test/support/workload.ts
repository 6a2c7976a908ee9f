import { spawnSync } from "node:child_process";
import { closeSync, openSync, readSync } from "node:fs";

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

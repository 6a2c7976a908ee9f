// Names and contents of files as text of which each byte is kept (base/byte-text.ts). Node.js by itself gives and takes UTF-8.
import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { decodeBytes, pathOf } from "../base/byte-text.js";

export const readText = (path: string): string => decodeBytes(readFileSync(pathOf(path)));

export const readLink = (path: string): string => decodeBytes(readlinkSync(pathOf(path), "buffer"));

export const realPath = (path: string): string => decodeBytes(realpathSync.native(pathOf(path), "buffer"));

/** Names in a folder, in no order. */
export const namesIn = (folder: string): string[] => readdirSync(pathOf(folder), "buffer").map(decodeBytes);

const replacement = "\ufffd";

/** The working directory. */
export function currentFolder(): string {
  const folder = process.cwd();
  return folder.includes(replacement) ? readLink("/proc/self/cwd") : folder;
}

import { encodeBytes } from "../base/byte-text.js";
import type { Arch } from "./registers.js";

/**
 * What the launcher does, by machine. In a register it has the address of what a program finds on its stack (x86-64 psABI, 3.4.1):
 * argc, argv and envp, here of its own name, a path, and the argv of the program there.
 *
 *     prctl(PR_SET_PDEATHSIG, SIGTERM)           // it ends when the thread that made it does, even by SIGKILL
 *     prctl(PR_SET_NAME, argv[0])
 *     fcntl(3, F_SETFD, FD_CLOEXEC)
 *     if (read(3, &byte, 1) != 1) _exit(127)     // waits for the word to begin; there is none if its parent is gone
 *     execve(argv[1], &argv[2], envp)
 *     write(3, &errno, 4), _exit(127)
 *
 * Code without any address, assembled from that; registers and numbers of system calls by syscall(2). The words stand in the file, and
 * not on the launcher's stack, because Node.js can hand on UTF-8 only, and these are bytes.
 */
const code: Readonly<Record<Arch, string>> = {
  x86_64:
    "b89d000000bf01000000be0f0000000f05b89d000000bf0f000000488b73080f05b848000000bf03000000be02000000ba01000000" +
    "0f0531c0bf03000000488d7424f8ba010000000f0583f8017533488b7b10488d7318488b03488d54c310b83b0000000f05f7d8894424f8b8" +
    "01000000bf03000000488d7424f8ba040000000f05b8e7000000bf7f0000000f05",
  arm64:
    "ff4300d1e81480d2200080d2e10180d2010000d4e81480d2e00180d2610640f9010000d4280380d2600080d2410080d2220080d2" +
    "010000d4e80780d2600080d2e1030091220080d2010000d41f0400f1e1010054690240f962420091420c098b61620091600a40f9a81b80d2" +
    "010000d4e00300cbe00300f9080880d2600080d2e1030091820080d2010000d4c80b80d2e00f80d2010000d4",
};

/** Puts the address of the words into the register that they are expected in: rbx, x19. */
const pointers: Readonly<Record<Arch, (address: bigint) => readonly number[]>> = {
  // movabs
  x86_64: (address) => [0x48, 0xbb, ...littleEndian(address, 8)],
  // movz, movk, movk: 48 bits.
  arm64: (address) =>
    [0xd2800013n, 0xf2a00013n, 0xf2c00013n].flatMap((code, i) =>
      littleEndian(code | (((address >> BigInt(16 * i)) & 0xffffn) << 5n), 4),
    ),
};

const littleEndian = (value: bigint, size: number): readonly number[] =>
  Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));

/** e_machine, elf(5). */
const machines: Readonly<Record<Arch, number>> = { x86_64: 62, arm64: 183 };

const [headerSize, segmentSize] = [64, 56];
/** Where no linker puts a program: stacks of the one that follows are not taken for its own. Of 39 bits, as arm64 may have. */
const loadedAt = 0xe_0000_0000n;

/** argc, argv, NULL, envp, NULL, and the texts behind them, for the place in memory where they will be. */
function startBlock(words: readonly string[], environment: readonly string[], address: bigint): Uint8Array {
  const texts = [...words, ...environment].map((text) => encodeBytes(`${text}\0`));
  const table = 8 * (texts.length + 3);
  const block = new Uint8Array(texts.reduce((size, { length }) => size + length, table));
  const view = new DataView(block.buffer);
  view.setBigUint64(0, BigInt(words.length), true);
  let at = table;
  for (const [i, text] of texts.entries()) {
    // Behind the words there is a NULL.
    view.setBigUint64(8 * (i + (i < words.length ? 1 : 2)), address + BigInt(at), true);
    block.set(text, at);
    at += text.length;
  }
  return block;
}

/**
 * The launcher as an ELF executable of one segment (elf(5)): about 250 bytes, and the words that it has: its own name, the path of a
 * program and that one's argv; and the environment.
 */
export function launcherFile(arch: Arch, words: readonly string[], environment: readonly string[]): Uint8Array {
  const start = headerSize + segmentSize;
  const body = Buffer.from(code[arch], "hex");
  const blockAt = (start + pointers[arch](0n).length + body.length + 7) & ~7;
  const address = loadedAt + BigInt(blockAt);
  const block = startBlock(words, environment, address);
  const bytes = new Uint8Array(blockAt + block.length);
  bytes.set([...pointers[arch](address), ...body], start);
  bytes.set(block, blockAt);
  const view = new DataView(bytes.buffer);
  // ELFCLASS64, ELFDATA2LSB, EV_CURRENT.
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const half = (at: number, value: number): void => view.setUint16(at, value, true);
  const word = (at: number, value: number): void => view.setUint32(at, value, true);
  const long = (at: number, value: bigint): void => view.setBigUint64(at, value, true);
  // ET_EXEC; machine; version; entry; where the program headers begin.
  half(16, 2);
  half(18, machines[arch]);
  word(20, 1);
  long(24, loadedAt + BigInt(start));
  long(32, BigInt(headerSize));
  half(52, headerSize);
  half(54, segmentSize);
  half(56, 1);
  // PT_LOAD, readable and executable: the whole file.
  word(headerSize, 1);
  word(headerSize + 4, 5);
  long(headerSize + 16, loadedAt);
  long(headerSize + 24, loadedAt);
  for (const at of [32, 40]) long(headerSize + at, BigInt(bytes.length));
  long(headerSize + 48, 0x1000n);
  return bytes;
}

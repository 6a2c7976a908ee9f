import type { Arch } from "./registers.js";

/**
 * What the launcher does, by machine. It is given the arguments: its own name, a path, and the argv of the program there.
 *
 *     prctl(PR_SET_PDEATHSIG, SIGTERM)           // it ends when the thread that made it does, even by SIGKILL
 *     prctl(PR_SET_NAME, argv[0])
 *     fcntl(3, F_SETFD, FD_CLOEXEC)
 *     if (read(3, &byte, 1) != 1) _exit(127)     // waits for the word to begin; there is none if its parent is gone
 *     execve(argv[1], &argv[2], envp)
 *     write(3, &errno, 4), _exit(127)
 *
 * Code without any address, assembled from that; registers and numbers of system calls by syscall(2).
 */
const code: Readonly<Record<Arch, string>> = {
  x86_64:
    "4889e3b89d000000bf01000000be0f0000000f05b89d000000bf0f000000488b73080f05b848000000bf03000000be02000000ba01000000" +
    "0f0531c0bf03000000488d7424f8ba010000000f0583f8017533488b7b10488d7318488b03488d54c310b83b0000000f05f7d8894424f8b8" +
    "01000000bf03000000488d7424f8ba040000000f05b8e7000000bf7f0000000f05",
  arm64:
    "f3030091ff4300d1e81480d2200080d2e10180d2010000d4e81480d2e00180d2610640f9010000d4280380d2600080d2410080d2220080d2" +
    "010000d4e80780d2600080d2e1030091220080d2010000d41f0400f1e1010054690240f962420091420c098b61620091600a40f9a81b80d2" +
    "010000d4e00300cbe00300f9080880d2600080d2e1030091820080d2010000d4c80b80d2e00f80d2010000d4",
};

/** e_machine, elf(5). */
const machines: Readonly<Record<Arch, number>> = { x86_64: 62, arm64: 183 };

const [headerSize, segmentSize] = [64, 56];
/** Where no linker puts a program: stacks of the one that follows are not taken for its own. Of 39 bits, as arm64 may have. */
const loadedAt = 0xe_0000_0000n;

/** The launcher as an ELF executable of one segment (elf(5)): about 250 bytes. */
export function launcherFile(arch: Arch): Uint8Array {
  const instructions = Buffer.from(code[arch], "hex");
  const start = headerSize + segmentSize;
  const bytes = new Uint8Array(start + instructions.length);
  bytes.set(instructions, start);
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

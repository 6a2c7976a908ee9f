import { closeSync, openSync, writeSync } from "node:fs";
import { pathOf } from "../base/byte-text.js";
import { pcapHeader, pcapPacket } from "../formats/pcap.js";

/** The pcap files that a script writes packets to; each is made new by its first packet. */
export class Captures implements Disposable {
  private readonly files = new Map<string, number>();

  write(path: string, time: bigint, bytes: Uint8Array, originalLength: number): void {
    let fd = this.files.get(path);
    if (fd === undefined) {
      fd = openSync(pathOf(path), "w", 0o600);
      this.files.set(path, fd);
      writeSync(fd, pcapHeader());
    }
    writeSync(fd, pcapPacket(time, bytes, originalLength));
  }

  [Symbol.dispose](): void {
    for (const fd of this.files.values()) closeSync(fd);
    this.files.clear();
  }
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { pcapHeader, pcapPacket } from "./pcap.js";

test("a file of raw IP packets with times in nanoseconds", () => {
  assert.equal(Buffer.from(pcapHeader()).toString("hex"), "4d3cb2a1020004000000000000000000ffff000065000000");
  const packet = pcapPacket(3_000_000_007n, Uint8Array.of(0x45, 0), 60);
  assert.equal(Buffer.from(packet).toString("hex"), "0300000007000000020000003c0000004500");
});

/** Packets without a link layer: LINKTYPE_RAW of https://www.tcpdump.org/linktypes.html. */
const linkTypeRaw = 101;
/** Times in nanoseconds; draft-ietf-opsawg-pcap, file header. */
const magic = 0xa1b2_3c4d;
const headerSize = 24;
const packetHeaderSize = 16;
/** Bytes of a packet that readers must be prepared for. */
const snapLength = 65535;

/** What a pcap file of IP packets begins with. */
export function pcapHeader(): Uint8Array {
  const view = new DataView(new ArrayBuffer(headerSize));
  view.setUint32(0, magic, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, snapLength, true);
  view.setUint32(20, linkTypeRaw, true);
  return new Uint8Array(view.buffer);
}

/** One packet: when, in nanoseconds since 1970, what of it was kept, and how long it was. */
export function pcapPacket(time: bigint, bytes: Uint8Array, originalLength: number): Uint8Array {
  const packet = new Uint8Array(packetHeaderSize + bytes.length);
  const view = new DataView(packet.buffer);
  view.setUint32(0, Number(time / 1_000_000_000n), true);
  view.setUint32(4, Number(time % 1_000_000_000n), true);
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, Math.max(originalLength, bytes.length), true);
  packet.set(bytes, packetHeaderSize);
  return packet;
}

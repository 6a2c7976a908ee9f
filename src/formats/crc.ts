const table32 = (polynomial: number): Uint32Array =>
  Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let i = 0; i < 8; i++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ polynomial;
    return crc;
  });

const ieee = table32(0xedb88320);

/** CRC-32 of IEEE 802.3, as zlib, xz and debug links have it. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (ieee[(crc ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
}

/** Of CRC-64 of ECMA-182, reflected: the low and the high half of what each byte gives. */
const ecma = (() => {
  const low = new Uint32Array(256);
  const high = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let [a, b] = [byte, 0];
    for (let i = 0; i < 8; i++) {
      const odd = (a & 1) !== 0;
      a = ((a >>> 1) | (b << 31)) >>> 0;
      b >>>= 1;
      if (odd) [a, b] = [(a ^ 0xd7870f42) >>> 0, (b ^ 0xc96c5795) >>> 0];
    }
    [low[byte], high[byte]] = [a, b];
  }
  return { low, high };
})();

/** CRC-64 of ECMA-182, as xz has it. */
export function crc64(bytes: Uint8Array): bigint {
  let [low, high] = [0xffffffff, 0xffffffff];
  for (const byte of bytes) {
    const index = (low ^ byte) & 0xff;
    low = (((low >>> 8) | (high << 24)) ^ (ecma.low[index] ?? 0)) >>> 0;
    high = ((high >>> 8) ^ (ecma.high[index] ?? 0)) >>> 0;
  }
  return (BigInt(~high >>> 0) << 32n) | BigInt(~low >>> 0);
}

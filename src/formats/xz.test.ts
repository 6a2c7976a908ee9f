import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { FormatError } from "../base/errors.js";
import { crc32, crc64 } from "./crc.js";
import { Lzma2 } from "./lzma2.js";
import { unpackXz } from "./xz.js";

/** What was packed: matches, and bytes of every kind. */
const text = Buffer.concat([Buffer.from("one two three, ".repeat(40)), Uint8Array.from({ length: 256 }, (_, i) => i)]);

/** Of xz 5.4: with its usual settings (CRC-64); with `--check=none --lzma2=lc=0,lp=3,pb=4`; "hello" with `--x86 --lzma2`. */
const packed = {
  usual: [
    "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4ANXAP5dADebiM524vTjZd79IVAa8PTRg9aF2ELVARvHUREUTI2kPEoRJAueTAf1TDvB",
    "lWxFlWj2U505jYw1UiMvdZI5JrWpt0OVs4misgczjx4b5Mh17Atyv3B5GfI4kIMeOH3qqtiuJQUQf/YovWXIaZQY82jf0GqxjTPX",
    "t5fJIroU0/TXX39tMhvlmDZLd/5C0mKmAzg1QdTXNBN+WM/k8bX3BKWGLmyUvNKkp1GWi3KazkwBV1L/Z/w0qvh6SA5jsgiN+gFT",
    "rLCVx5mO5m1wS32l9hVvF4I+FUkYs3N2OWn/P5DM7fUYnaE2hfCwy2eM9GiqCtKXBmIqbDbkYHiJ1lBuAAAAsR0K3BOvph0AAZoC",
    "2AYAAFxfBeKxxGf7AgAAAAAEWVo=",
  ].join(""),
  odd: [
    "/Td6WFoAAAD/EtlBAgAhARYAAAB0L+Wj4ANXATLPADebiKIDodzfAGZ/qdFFWNojivd+WvS0NCUl+Xn/7zwvuWthRJ/Rng8goJia",
    "seY12gsTO+VackaPfeM2yWN1e/MMisyD59PUz5TU6xvgLXNLr+J6xbayf3oXmujGGI+VHLnE5+A0+JVqRe3Ei/nQQ5vWab77M9G/",
    "DwQz5fxOG2iCyun8dP07JaDWTUNO6FPKoH7xwT8Rqkt+ceCObLgNM3uBpmH3nitgBvT3e4LquU4M/TAoUVq/bH9jxc6xX7jpcs3y",
    "hS7e3AX3nA8cGnpPz42IYhiJYPF7l98jrn+QCN3FK027I03sqmXRpr1+zKw2hjToA4Qw0WKp2Ej5kohxv2W5c9VWp0eRwpIpAm5n",
    "n2lBIojo4LrEdlFXqXCRMIggrfu4L37OMBYPlvlgBcZgSG1MLgAAAAABxgLYBgAA0JdJmagACvwCAAAAAABZWg==",
  ].join(""),
  otherFilter: "/Td6WFoAAATm1rRGAgEEACEBFgANhjUfAQAEaGVsbG8AAAAAsTe52+XaHpsAAR0FuC2Arx+2830BAAAAAARZWg==",
  crc32: "/Td6WFoAAAFpIt42AgAhARYAAAB0L+WjAQAEaGVsbG8AAAAAhqYQNgABGQW86OzLkEKZDQEAAAAAAVla",
  sha256:
    "/Td6WFoAAArh+wyhAgAhARYAAAB0L+WjAQAEaGVsbG8AAAAALPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQAATUFEoPd8hibS5oBAAAAAApZWg==",
  empty: "/Td6WFoAAATm1rRGAAAAABzfRCEftvN9AQAAAAAEWVo=",
};

const bytesOf = (name: keyof typeof packed): Buffer => Buffer.from(packed[name], "base64");
const unpack = (bytes: Uint8Array): Buffer => Buffer.from(unpackXz(bytes, "test", 4096));

test("checksums", () => {
  // The check values of the catalogue of CRCs (reveng.sourceforge.io): CRC-32/ISO-HDLC and CRC-64/XZ.
  assert.equal(crc32(Buffer.from("123456789")), 0xcbf43926);
  assert.equal(crc64(Buffer.from("123456789")), 0x995dc9bbdf1939fan);
});

test("files of xz(1)", () => {
  assert.deepEqual(unpack(bytesOf("usual")), text);
  assert.deepEqual(unpack(bytesOf("odd")), text);
  for (const name of ["crc32", "sha256"] as const) assert.equal(unpack(bytesOf(name)).toString(), "hello");
  assert.equal(unpack(bytesOf("empty")).length, 0);
  const two = Buffer.concat([bytesOf("crc32"), Buffer.alloc(8), bytesOf("sha256")]);
  assert.equal(unpack(two).toString(), "hellohello");
});

test("what is not unpacked", () => {
  assert.throws(() => unpack(bytesOf("otherFilter")), /another way than by LZMA2/);
  assert.throws(() => unpackXz(bytesOf("usual"), "test", 100), /more than 100 bytes/);
  assert.throws(() => unpack(Buffer.from("no xz file at all")), FormatError);
  const damaged = bytesOf("usual");
  damaged[damaged.length - 40] = (damaged[damaged.length - 40] ?? 0) ^ 1;
  assert.throws(() => unpack(damaged), FormatError);
});

test("damaged files give FormatErrors, damaged code a value or one", () => {
  for (const name of ["usual", "crc32"] as const) fuzz(bytesOf(name), 1000, unpack);
  // Behind the heads of stream and block, where no checksum stands in front of the decoder.
  for (const name of ["usual", "odd"] as const)
    fuzz(bytesOf(name).subarray(24), 3000, (bytes) => {
      const lzma = new Lzma2("test", 4096);
      lzma.unpack(bytes, 0);
      assert.ok(lzma.output.length <= 4096);
    });
});

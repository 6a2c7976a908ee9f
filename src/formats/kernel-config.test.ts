import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { parseKernelConfig } from "./kernel-config.js";

const text =
  '# Linux\nCONFIG_BPF=y\n# CONFIG_KPROBES is not set\nCONFIG_HZ=250\nCONFIG_LSM="bpf,yama"\nCONFIG_XFS_FS=m\n';

test("settings that are set", () => {
  assert.deepEqual(
    [...parseKernelConfig(text)],
    [
      ["CONFIG_BPF", "y"],
      ["CONFIG_HZ", "250"],
      ["CONFIG_LSM", "bpf,yama"],
      ["CONFIG_XFS_FS", "m"],
    ],
  );
  assert.equal(parseKernelConfig("").size, 0);
});

test("damaged text is no reason to fail", () => {
  fuzz(Buffer.from(text), 1000, (bytes) => parseKernelConfig(bytes.toString("latin1")));
});

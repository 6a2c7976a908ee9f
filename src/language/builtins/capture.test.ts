import assert from "node:assert/strict";
import { test } from "node:test";
import { complaints } from "../../../test/support/compile-script.js";

test("skboutput takes a packet and an offset that is in it", () => {
  const script = (rest: string): string => `rawtracepoint:net_dev_queue { print(skboutput("a.pcap", ${rest})); }`;
  const packet = "(struct sk_buff *)arg0";
  assert.deepEqual(complaints(script(`${packet}, 100, 14`)), []);
  assert.deepEqual(complaints(script("arg0, 100, 14")), ["error type-mismatch 'arg0'"]);
  assert.deepEqual(complaints(script(`${packet}, 100, 5000`)), [
    `error bad-argument 'skboutput("a.pcap", ${packet}, 100, 5000)'`,
  ]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSys } from "../../test/support/fake-sys.js";
import { FdLeaks } from "../../test/support/fd-leaks.js";
import { EAGAIN, EINVAL, ENOSPC } from "../abi/errno.js";
import { zeroed } from "../abi/struct.js";
import { SyscallTable } from "../abi/syscalls.js";
import { bpf } from "./bpf-call.js";
import { Fd } from "./fd.js";
import { mapCreate, mapLookup } from "./map-calls.js";
import { ProgLoadError, progLoad } from "./prog-calls.js";
import { syscallNumbers } from "./sys.js";
import { SyscallError } from "./syscall-error.js";

test("the numbers of the calls that we make are those of the table", () => {
  for (const arch of ["x86_64", "arm64"] as const) {
    const table = new SyscallTable(arch);
    for (const [name, number] of Object.entries(syscallNumbers[arch])) assert.equal(table.number(name), number, name);
  }
});

test("a descriptor closes once, is not used afterwards, and is never one of the standard streams", () => {
  const sys = new FakeSys({ fcntl: () => 9 });
  const fd = Fd.own(sys, 7, "map x");
  assert.equal(fd.raw, 7);
  fd[Symbol.dispose]();
  fd[Symbol.dispose]();
  assert.deepEqual(sys.log, [{ name: "close", args: [7] }]);
  assert.throws(() => fd.raw, /internal: map x is used after it was closed/);
  assert.equal(fd.closed, true);
  const low = Fd.own(sys, 0, "map y");
  assert.equal(low.raw, 9);
  assert.deepEqual(sys.log.at(-1), { name: "close", args: [0] });
  assert.equal(low.take(), 9);
  assert.throws(() => low.raw);
  low[Symbol.dispose]();
  assert.equal(sys.log.length, 3);
});

test("a descriptor that cannot be moved away from the standard streams is closed", () => {
  const sys = new FakeSys({ fcntl: () => -24 });
  assert.throws(() => Fd.own(sys, 2, "map"), SyscallError);
  assert.deepEqual(sys.log.at(-1), { name: "close", args: [2] });
});

test("leaks are reported with the place that opened them", () => {
  const leaks = new FdLeaks();
  const sys = Object.assign(new FakeSys({}), { fdWatcher: leaks });
  const fd = Fd.own(sys, 5, "map leaked");
  assert.equal(leaks.count, 1);
  assert.throws(() => leaks.assertNone(), /map leaked, opened\n.*sys\.test/s);
  fd[Symbol.dispose]();
  leaks.assertNone();
});

test("bpf(2) is tried again when a signal came, not for ever", () => {
  let left = 2;
  const attr = { bytes: zeroed(8), keeps: [] };
  assert.equal(bpf(new FakeSys({ bpf: () => (left-- > 0 ? -EAGAIN : 4) }), 5, attr), 4);
  const always = new FakeSys({ bpf: () => -EAGAIN });
  assert.equal(bpf(always, 5, attr), -EAGAIN);
  assert.equal(always.log.length, 6);
});

test("errors say which call failed on what and how", () => {
  const sys = new FakeSys({ bpf: () => -EINVAL });
  const map = { name: "x", type: 99, keySize: 4, valueSize: 8, maxEntries: 1, flags: 0 };
  assert.throws(
    () => mapCreate(sys, map),
    (error) => {
      assert.ok(error instanceof SyscallError);
      assert.equal(error.errno, EINVAL);
      assert.equal(error.code, "EINVAL");
      assert.match(error.message, /^bpf\(BPF_MAP_CREATE, "x": type 99.*\): EINVAL \(invalid argument\)$/);
      return true;
    },
  );
  assert.equal(mapLookup(new FakeSys({ bpf: () => -2 }), Fd.own(sys, 5, "map"), zeroed(4), zeroed(8)), false);
});

test("the verifier's log is asked for on failure only, with a larger buffer until it fits", () => {
  const sizes: number[] = [];
  const sys = new FakeSys({
    bpf: (_command, attr) => {
      assert.ok(typeof attr === "object");
      const view = new DataView(attr.bytes.buffer);
      const size = view.getUint32(28, true);
      sizes.push(size);
      if (size === 0) return -EINVAL;
      if (size < 1 << 21) return -ENOSPC;
      Buffer.from("R1 !read_ok\0").copy(sys.at(view.getBigUint64(32, true)));
      return -13;
    },
  });
  const program = { name: "p", type: 5, code: zeroed(16), expectedAttachType: 0, attachBtfId: 0 };
  assert.throws(
    () => progLoad(sys, program),
    (error) => error instanceof ProgLoadError && error.log === "R1 !read_ok" && error.code === "EACCES",
  );
  assert.deepEqual(sizes, [0, 1 << 18, 1 << 21]);
});

import assert from "node:assert/strict";
import { RecordStream } from "../../src/events/record-stream.js";
import { RingFollower } from "../../src/events/ring-follower.js";
import { RingReader } from "../../src/events/ring-reader.js";
import { openKernelView } from "../../src/kernel/kernel-view.js";
import { KernelAttachPort } from "../../src/load/attach-port.js";
import { loadObject } from "../../src/load/loaded-object.js";
import { kernelTest } from "../support/kernel-test.js";
import { counter, counters, readZeros, recordPerSyscall, ring } from "../support/trial-programs.js";

for (const { name, size } of [
  { name: "all of them arrive in a large ring", size: 1 << 20 },
  { name: "what a small ring lost is counted", size: 1 << 12 },
]) {
  kernelTest(`a record per read(2): ${name}`, async (sys) => {
    const kernel = openKernelView(sys);
    const reads = recordPerSyscall(kernel.syscallNumber("read") ?? -1).program({
      name: "reads",
      type: "raw_tracepoint",
    });
    using loaded = loadObject(sys, { maps: [counters, ring(size)], programs: [reads] }, kernel);
    const map = loaded.map("ring");
    using reader = RingReader.open(sys, map.fd, map.spec.maxEntries, 4096);
    let records = 0;
    const count = (view: DataView, offset: number, length: number) => {
      assert.equal(length, 16);
      assert.equal(view.getBigUint64(offset, true), 77n);
      assert.equal(view.getBigUint64(offset + 8, true), 0n);
      records++;
    };
    let turns = 0;
    const follower = new RingFollower(sys, [map.fd], new RecordStream(reader, undefined), count, {
      afterTurn: () => turns++,
    });
    const port = new KernelAttachPort(sys, loaded);
    port.rawTracepoint("reads", { name: "sys_enter" }, 0n);
    for (let turn = 0; turn < 20; turn++) {
      readZeros(1000);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    port[Symbol.dispose]();
    await follower.stop();
    reader.drain(count);
    const lost = counter(sys, loaded, 0);
    // Node reads a few pipes of its own.
    assert.ok(records + lost >= 20000 && records + lost < 20500, `${records} records, ${lost} lost`);
    if (size > 20000 * 24) assert.equal(lost, 0);
    else assert.ok(lost > 0);
    assert.ok(turns > 0);
  });
}

kernelTest("an idle follower stops at once, and a record that comes late is seen", async (sys) => {
  const kernel = openKernelView(sys);
  const reads = recordPerSyscall(kernel.syscallNumber("kill") ?? -1).program({ name: "x", type: "raw_tracepoint" });
  using loaded = loadObject(sys, { maps: [counters, ring(4096)], programs: [reads] }, kernel);
  const map = loaded.map("ring");
  using reader = RingReader.open(sys, map.fd, map.spec.maxEntries, 4096);
  using port = new KernelAttachPort(sys, loaded);
  port.rawTracepoint("x", { name: "sys_enter" }, 0n);
  const got = await new Promise<number>((resolve) => {
    const follower = new RingFollower(sys, [map.fd], new RecordStream(reader, undefined), (_view, _offset, length) => {
      void follower.stop().then(() => resolve(length));
    });
    setTimeout(() => sys.call("kill", process.pid, 0), 20);
  });
  assert.equal(got, 16);
});

kernelTest("an exception of the handler ends the following and is reported", async (sys) => {
  const kernel = openKernelView(sys);
  const reads = recordPerSyscall(kernel.syscallNumber("read") ?? -1).program({ name: "reads", type: "raw_tracepoint" });
  using loaded = loadObject(sys, { maps: [counters, ring(1 << 16)], programs: [reads] }, kernel);
  const map = loaded.map("ring");
  using reader = RingReader.open(sys, map.fd, map.spec.maxEntries, 4096);
  using port = new KernelAttachPort(sys, loaded);
  port.rawTracepoint("reads", { name: "sys_enter" }, 0n);
  const follower = new RingFollower(sys, [map.fd], new RecordStream(reader, undefined), () => {
    throw new Error("no");
  });
  readZeros(3);
  await assert.rejects(follower.done, /^Error: no$/);
});

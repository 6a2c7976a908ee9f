import type { Value } from "../ir/ir.js";
import type { TypedStatement } from "../language/typed.js";
import { endsAction, occursIn } from "../language/typed-walk.js";
import { align8, isAggregate, layoutOf, residence, sizeOf } from "../wire/layout.js";
import { storageOf } from "../wire/map-storage.js";
import type { CallbackLoop } from "./captured-variables.js";
import { generationOf } from "./generations.js";
import { totalAt } from "./maps.js";
import type { ProgramLowering } from "./program-lowering.js";
import { lowerBlock } from "./statements.js";

/** BPF_MAX_LOOPS, include/linux/bpf_verifier.h: bpf_loop() refuses more rounds. */
const mostRounds = 1n << 23n;

/** Arguments of the functions that bpf_loop() and bpf_for_each_map_elem() call; include/uapi/linux/bpf.h. */
const loopIndex = 0;
const loopFrame = 1;
const elementKey = 1;
const elementValue = 2;
const elementFrame = 3;

type RangeLoop = Extract<CallbackLoop, { kind: "for-range" }>;
type MapLoop = Extract<CallbackLoop, { kind: "for-map" }>;

/** `for ($i : from..to)` by bpf_loop(), since Linux 5.17: any number of rounds costs the verifier one walk of the body. */
export function rangeByHelper(p: ProgramLowering, s: RangeLoop): void {
  const { b } = p;
  const from = p.value(s.from);
  const to = p.value(s.to);
  b.store(8, p.frame, p.startOffset(s), from);
  const name = p.callback(s, loopFrame, () => {
    const inner = p.b;
    const start = inner.load(8, false, p.frame, p.startOffset(s));
    p.writeVariable(s.variable, inner.bin("add", start, inner.param(loopIndex)));
    lowerBlock(p, s.body);
  });
  const some = b.newBlock();
  const fits = b.newBlock();
  const tooMany = b.newBlock();
  const done = b.newBlock();
  b.branch("slt", from, to, some, done);
  b.seal(some);
  b.setBlock(some);
  const rounds = b.bin("sub", to, from);
  b.branch("ugt", rounds, b.const(mostRounds), tooMany, fits, "else");
  b.seal(tooMany);
  b.setBlock(tooMany);
  p.countLoss("loop-too-long");
  b.jump(done);
  b.seal(fits);
  b.setBlock(fits);
  b.call("loop", [rounds, b.funcRef(name), p.frame, b.const(0)]);
  if (leaves(s.body)) p.afterLoop();
  b.jump(done);
  b.seal(done);
  b.setBlock(done);
}

/** `for ($kv : @map)` by bpf_for_each_map_elem(), since Linux 5.13. */
export function overMap(p: ProgramLowering, s: MapLoop): void {
  const { b } = p;
  const map = p.map(s.map);
  const name = p.callback(s, elementFrame, () => {
    const inner = p.b;
    const types = s.type.kind === "tuple" ? s.type.items : [];
    const [keyType, valueType] = types;
    if (keyType === undefined || valueType === undefined) throw new Error("internal: a loop over a map has pairs");
    const [keyAt = 0, valueAt = 0] = layoutOf(types).offsets;
    const pair = p.home(s.variable);
    const key = inner.param(elementKey);
    const { generation, keySize } = storageOf(map);
    if (generation) {
      const go = inner.newBlock();
      const own = inner.load(8, false, key, keySize - 8);
      const next = p.loops.at(-1)?.next ?? p.exit;
      inner.branch("eq", own, generationOf(inner, p.object.script, s.map), go, next);
      inner.seal(go);
      inner.setBlock(go);
    }
    inner.copy(pair.base, pair.offset + keyAt, key, 0, align8(sizeOf(keyType)));
    let value: Value;
    if (isAggregate(map.value)) {
      value = totalAt(p, s.map, key, map.value);
      inner.store(8, pair.base, pair.offset + valueAt, value);
    } else if (residence(valueType) === "register") {
      value = inner.load(8, false, inner.param(elementValue), 0);
      inner.store(8, pair.base, pair.offset + valueAt, value);
    } else {
      inner.copy(pair.base, pair.offset + valueAt, inner.param(elementValue), 0, align8(sizeOf(valueType)));
    }
    lowerBlock(p, s.body);
  });
  b.call("for_each_map_elem", [b.map(s.map), b.funcRef(name), p.frame, b.const(0)]);
  if (leaves(s.body)) p.afterLoop();
}

/** Whether the body may leave the action. */
const leaves = (body: readonly TypedStatement[]): boolean =>
  occursIn(body, { expression: endsAction, statement: (s) => s.kind === "return" });

import type { IrFunction } from "../ir/ir.js";
import type { TypedProgram } from "../language/typed.js";
import { endsAction, occursIn } from "../language/typed-walk.js";
import { exitedSlot, mostPerCpu, systemMaps } from "../wire/map-storage.js";
import { branchOn } from "./expressions.js";
import { countFullNesting } from "./nested-returns.js";
import type { ObjectBuilder } from "./object-builder.js";
import { NeedScratch, ProgramLowering, type ScratchStage } from "./program-lowering.js";
import { lowerBlock } from "./statements.js";

/**
 * The IR of one program, followed by the bodies of its loops that helpers call; what it shares with others goes into
 * `object`. Temporaries of more than `stackLimit` bytes do not go on the stack, of which a program has 512 bytes.
 */
export function lowerProgram(
  program: TypedProgram,
  index: number,
  object: ObjectBuilder,
  stackLimit: number,
): readonly IrFunction[] {
  let stage: ScratchStage = "never";
  let yields = false;
  for (;;) {
    const undo = object.mark();
    try {
      const functions = lowerOnce(program, index, object, { stage, stackLimit, yields });
      // What an iterator says is known now; it must not say it faster than user space reads.
      if (program.variant.context.kind === "iterator" && object.records.length > 0 && !yields) {
        undo();
        yields = true;
        continue;
      }
      if ((object.scratchSizes.get(index) ?? 0) <= mostPerCpu || object.largeScratch.has(index)) return functions;
      object.largeScratch.set(index, object.largeScratch.size);
      undo();
    } catch (error) {
      if (!(error instanceof NeedScratch)) throw error;
      undo();
      stage = error.stage;
    }
  }
}

/**
 * Whether exit() is in the program, which is attached: begin and end run when they are told to, and an iterator goes to
 * its end.
 */
const mayExit = (program: TypedProgram): boolean =>
  !program.targets.some(({ provider }) => provider.moment !== undefined || provider.finite === true) &&
  occursIn(program.body, { expression: endsAction });

/** Between exit() and the end of the trace the probe may fire again: nothing happens then. */
function skipAfterExit(p: ProgramLowering): void {
  const { b } = p;
  const go = b.newBlock();
  b.branch("ne", b.load(8, false, b.mapValue(systemMaps.loss, 8 * exitedSlot), 0), b.const(0), p.exit, go, "else");
  b.seal(go);
  b.setBlock(go);
}

/** BPF_RB_AVAIL_DATA and BPF_RB_RING_SIZE, flags of bpf_ringbuf_query(); uapi/linux/bpf.h. */
const availData = 0;
const ringSize = 1;

/**
 * An iterator's program that returns 1 is run again for the same object at the next read (bpf_iter_run_prog(),
 * kernel/bpf/bpf_iter.c, v5.8 to v6.18): user space gets a chance to empty the ring, and nothing is lost.
 */
function yieldIfRingFills(p: ProgramLowering): void {
  const { b } = p;
  const ask = (what: number) => b.call("ringbuf_query", [b.map(systemMaps.events), b.const(what)]);
  const full = b.newBlock();
  const go = b.newBlock();
  b.branch("ugt", ask(availData), b.bin("lshr", ask(ringSize), b.const(1)), full, go, "else");
  b.seal(full);
  b.seal(go);
  b.setBlock(full);
  b.ret(b.const(1));
  b.setBlock(go);
}

function lowerOnce(
  program: TypedProgram,
  index: number,
  object: ObjectBuilder,
  {
    stage,
    stackLimit,
    yields,
  }: { readonly stage: ScratchStage; readonly stackLimit: number; readonly yields: boolean },
): readonly IrFunction[] {
  const p = new ProgramLowering(program, index, object, stage, stackLimit);
  const { b } = p;
  if (mayExit(program)) skipAfterExit(p);
  if (yields) yieldIfRingFills(p);
  countFullNesting(p);
  if (program.predicate !== undefined) {
    const predicate = program.predicate;
    const body = b.newBlock();
    const skip = b.newBlock();
    p.scoped(() => branchOn(p, predicate, body, skip));
    b.seal(body);
    b.seal(skip);
    b.setBlock(skip);
    b.jump(p.exit);
    b.setBlock(body);
  }
  p.beginBody();
  lowerBlock(p, program.body);
  p.releaseScratch();
  p.close();
  if (p.scratchSize > 0) object.scratchSizes.set(index, p.scratchSize);
  return [b.finish(), ...p.callbacks];
}

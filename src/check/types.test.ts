// What is said about types, names and values that do not fit.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compileText,
  complaint,
  complaints,
  renderBrief,
  type ScriptOptions,
} from "../../test/support/compile-script.js";
import { FixtureKernel } from "../../test/support/fixture-kernel.js";

/** Script, what it is told, and what it is compiled with. */
type Case = readonly [script: string, told: readonly string[], options?: ScriptOptions];

const cases: readonly Case[] = [
  ["BEGIN { print(pidd); }", ["error unknown-name 'pidd': nothing is called 'pidd' | did you mean 'pid'?"]],
  [
    "BEGIN { print(zzz); }",
    ["error unknown-name 'zzz': nothing is called 'zzz' | variables begin with $, maps with @"],
  ],
  ["BEGIN { @x = count; }", []],
  [
    "BEGIN { print($nope); }",
    [
      "error undefined-variable '$nope': Undefined or undeclared variable: $nope | assign it first, in this block or one around: $nope = ...",
    ],
  ],
  [
    "BEGIN { $value = 1; print($vlaue); }",
    ["error undefined-variable '$vlaue': Undefined or undeclared variable: $vlaue | did you mean $value?"],
  ],
  [
    "BEGIN { $x++; }",
    [
      "error undefined-variable '$x': Undefined or undeclared variable: $x | assign it first, in this block or one around: $x = ...",
    ],
  ],
  [
    "BEGIN { $x += 1; }",
    [
      "error undefined-variable '$x': Undefined or undeclared variable: $x | assign it first, in this block or one around: $x = ...",
    ],
  ],
  [
    "BEGIN { print($x); $x = 1; }",
    [
      "error undefined-variable '$x': Undefined or undeclared variable: $x | assign it first, in this block or one around: $x = ...",
    ],
  ],
  [
    "BEGIN { @stat = 1; print(@stats); }",
    ["error undefined-map '@stats': nothing is ever stored in @stats | did you mean @stat?"],
  ],
  [
    "BEGIN { $x = @nothing; }",
    [
      "warning undefined-map '@nothing': nothing is ever stored in @nothing: it reads as 0 | assign it somewhere: @nothing = ...",
    ],
  ],
  ["BEGIN { clear(@nothing); }", ["error undefined-map '@nothing': nothing is ever stored in @nothing"]],
  [
    "BEGIN { @x = hist(1); $y = @x; }",
    ["error aggregate-read '@x': @x holds hist(), which is no number | print(@x) shows it"],
  ],
  [
    "BEGIN { @x = 1; @x = comm; }",
    [
      "error type-mismatch '@x = comm': @x holds int8, it cannot hold string[16] too | use another map for the other kind of value | @x is first used here '@x'",
    ],
  ],
  [
    "BEGIN { @x = 1; @x[1] = 2; }",
    ["error key-mismatch '@x[1]': @x is used without a key elsewhere, here with one | @x is first used here '@x'"],
  ],
  [
    "BEGIN { @x[1] = 1; @x[comm] = 2; }",
    [
      "error key-mismatch '@x[comm]': Argument mismatch for @x: trying to access with arguments: 'string[16]' when map expects arguments: 'int8' | @x is first used here '@x[1]'",
    ],
  ],
  [
    "BEGIN { @x[1] = 1; @x[1, 2] = 2; }",
    [
      "error key-mismatch '@x[1, 2]': Argument mismatch for @x: trying to access with arguments: '(int8,int8)' when map expects arguments: 'int8' | @x is first used here '@x[1]'",
    ],
  ],
  [
    "BEGIN { @x[1] = 1; print(@x[1, 2]); }",
    [
      "error key-mismatch '@x[1, 2]': Argument mismatch for @x: trying to access with arguments: '(int8,int8)' when map expects arguments: 'int8' | @x is first used here '@x[1]'",
    ],
  ],
  [
    "BEGIN { @x = count(); @x = sum(1); }",
    [
      "error type-mismatch '@x = sum(1)': @x holds count, it cannot hold sum too | use another map for the other kind of value | @x is first used here '@x'",
    ],
  ],
  [
    "BEGIN { @x = lhist(1, 0, 10, 1); @x = lhist(1, 0, 20, 1); }",
    [
      "error type-mismatch '@x = lhist(1, 0, 20, 1)': @x holds lhist(n, 0, 10, 1), it cannot hold lhist(n, 0, 20, 1) too | use another map for the other kind of value | @x is first used here '@x'",
    ],
  ],
  [
    "BEGIN { $x = 1; $x = comm; }",
    ["error type-mismatch '$x = comm': $x is int8, it cannot become string[16] | use another variable"],
  ],
  [
    "tracepoint:sched:sched_switch { $x = args.common_pid; }",
    [
      "error unreadable-argument 'common_pid': BPF does not support accessing common tracepoint fields | pid, tid, comm and cpu tell of the current thread",
    ],
  ],
  ["BEGIN { $x = exit(); }", ["error type-mismatch 'exit()': void cannot be assigned"]],
  ["BEGIN { @x[exit()] = 1; }", ["error bad-key 'exit()': void cannot be part of a key"]],
  ["BEGIN { $x = (1, exit()); }", ["error bad-tuple 'exit()': void cannot be in a tuple"]],
  ["BEGIN { if (comm) { } }", ["error type-mismatch 'comm': a condition is a number or a pointer, not string[16]"]],
  ["BEGIN /comm/ { }", ["error type-mismatch 'comm': a condition is a number or a pointer, not string[16]"]],
  ["BEGIN { $x = comm + 1; }", ["error type-mismatch 'comm': + needs integers, not string[16]"]],
  [
    'BEGIN { $x = comm < "a"; }',
    [
      "error type-mismatch 'comm < \"a\"': string[16] and string[2] cannot be compared by < | texts are compared by == and !=",
    ],
  ],
  ["BEGIN { if (comm == 1) { } }", ["error type-mismatch 'comm == 1': string[16] and int8 cannot be compared by =="]],
  ["BEGIN { if (!comm) { } }", ["error type-mismatch '!comm': ! needs a number or a pointer, not string[16]"]],
  ["BEGIN { if (comm && 1) { } }", ["error type-mismatch 'comm': && needs numbers or pointers, not string[16]"]],
  ["BEGIN { $x = -comm; }", ["error type-mismatch 'comm': an integer is needed here, not string[16]"]],
  [
    "BEGIN { $x = pid ? 1 : comm; }",
    ["error type-mismatch 'pid ? 1 : comm': both results of ?: must have one type, not int8 and string[16]"],
  ],
  ["BEGIN { $s = comm; $s++; }", ["error type-mismatch '$s++': ++ needs an integer, not string[16]"]],
  [
    "BEGIN { $x = curtask * 2; }",
    [
      "error type-mismatch 'curtask * 2': * is not defined for struct task_struct * and int8 | cast the pointer to an integer: (uint64)p",
    ],
  ],
  ["BEGIN { $x = *pid; }", ["error not-a-pointer '*pid': uint32 is no pointer | cast it first: *(uint64 *)x"]],
  [
    "BEGIN { $x = *(void *)pid; }",
    ["error void-pointer '*(void *)pid': what a void * points at has no type | cast it first: *(uint64 *)p"],
  ],
  [
    "BEGIN { $x = &pid; }",
    [
      "error no-address '&pid': & takes the address of a variable, a map, or a member of a structure | e.g. &$x, or &((struct task_struct *)curtask).comm",
    ],
  ],
  [
    "BEGIN { $x = curtask->pidd; }",
    ["error unknown-member 'pidd': struct task_struct has no member 'pidd' | did you mean 'pid'?"],
  ],
  [
    "BEGIN { $x = pid->x; }",
    ["error not-a-structure 'pid': uint32 has no members | cast it first: ((struct task_struct *)x)->pid"],
  ],
  ["BEGIN { $x = pid.1; }", ["error not-a-tuple 'pid': uint32 is no tuple"]],
  ["BEGIN { $x = (1, 2).2; }", ["error bad-index '(1, 2).2': the tuple has 2 items, numbered from 0"]],
  ["BEGIN { $x = pid[0]; }", ["error not-an-array 'pid': uint32 cannot be indexed"]],
  [
    "BEGIN { $x = ((struct in6_addr *)pid)->in6_u.u6_addr8[16]; }",
    [
      "error bad-index '(struct in6_addr *)pid)->in6_u.u6_addr8[16]': the index 16 is out of bounds for array of size 16 | elements are numbered from 0",
    ],
  ],
  [
    "BEGIN { $x = (struct task_strct *)pid; }",
    [
      "error unknown-type 'struct task_strct': this kernel has no type 'struct task_strct' | did you mean 'struct task_struct'?",
    ],
  ],
  [
    "BEGIN { $x = (struct task_struct)pid; }",
    [
      "error bad-cast '(struct task_struct)pid': uint32 cannot be cast to struct task_struct | cast to a pointer: (struct task_struct *)",
    ],
  ],
  ["BEGIN { $x = (comm_t)pid; }", ["error unknown-type 'comm_t': this kernel has no type 'comm_t'"]],
  ["BEGIN { $x = sizeof(struct nope); }", ["error unknown-type 'struct nope': this kernel has no type 'struct nope'"]],
  [
    "BEGIN { $x = offsetof(struct task_struct, pidd); }",
    [
      "error unknown-member 'offsetof(struct task_struct, pidd)': struct task_struct has no member 'pidd' | did you mean 'pid'?",
    ],
  ],
  ["BEGIN { unroll (0) { } }", ["error bad-unroll '0': unroll minimum value is 1"]],
  [
    "BEGIN { unroll ($x) { } }",
    [
      "error undefined-variable '$x': Undefined or undeclared variable: $x | assign it first, in this block or one around: $x = ...",
      "error bad-unroll '$x': unroll() takes a literal number from 1 to 100",
    ],
  ],
  [
    "BEGIN { $n = 3; unroll ($n) { } }",
    [
      "error bad-unroll '$n': unroll() takes a literal number from 1 to 100 | for ($i : 0..$n) { } runs as often as a value says",
    ],
  ],
  ["BEGIN { break; }", ["error outside-loop 'break': break is only allowed inside a loop"]],
  ["BEGIN { continue; }", ["error outside-loop 'continue': continue is only allowed inside a loop"]],
  ["BEGIN { 1 + 2; }", ["warning unused-value '1 + 2': this value is not used"]],
  [
    "BEGIN { @x; }",
    [
      "warning undefined-map '@x': nothing is ever stored in @x: it reads as 0 | assign it somewhere: @x = ...",
      "warning unused-value '@x': this value is not used",
    ],
  ],
  ["BEGIN { $x = 1 / 0; }", ["error division-by-zero '1 / 0': division by zero"]],
  ["BEGIN { $x = pid / 0; }", ["error division-by-zero 'pid / 0': division by zero"]],
  ["BEGIN { @x = 5; @x /= 0; }", ["error division-by-zero '@x /= 0': division by zero"]],
  ["BEGIN { $x = 5; $x %= 0; }", ["error division-by-zero '$x %= 0': division by zero"]],
  ["BEGIN { exit(comm); }", ["error type-mismatch 'comm': an integer is needed here, not string[16]"]],
  ["BEGIN { @x = sum(comm); }", ["error type-mismatch 'comm': an integer is needed here, not string[16]"]],
  ["BEGIN { $x = str((1, 2)); }", ["error type-mismatch 'str((1, 2))': str() takes an address, not tuple"]],
  ["BEGIN { $x = ntop(comm); }", []],
  [
    "tracepoint:sched:sched_switch { print(args.prev_pidd); }",
    [
      "error unknown-member 'prev_pidd': tracepoint:sched:sched_switch has no argument 'prev_pidd' | did you mean 'prev_pid'?",
    ],
  ],
  [
    "tracepoint:syscalls:sys_exit_read { print(args.retval); }",
    ["error unknown-member 'retval': tracepoint:syscalls:sys_exit_read has no argument 'retval' | did you mean 'ret'?"],
  ],
  [
    'BEGIN { $x = "a"; $x = 5; $x = curtask }',
    [
      "error type-mismatch '$x = 5': $x is string[2], it cannot become int8 | use another variable",
      "error type-mismatch '$x = curtask': $x is string[2], it cannot become struct task_struct * | use another variable",
    ],
  ],
  ["BEGIN { let $x: struct nope = 1; }", ["error unknown-type 'struct nope': this kernel has no type 'struct nope'"]],
  [
    "BEGIN { let $x: string = 5; }",
    [
      "error type-mismatch 'let $x: string = 5': $x is string[1024], it cannot become int8 | cast the value, or declare another type",
    ],
  ],
  ["BEGIN { $x = (int32)comm }", ["error bad-cast '(int32)comm': string[16] cannot be cast to int32"]],
  ["BEGIN { _ = 5; }", []],
  ["BEGIN { return comm; }", ["error type-mismatch 'comm': an integer is needed here, not string[16]"]],
  ["BEGIN { @x[1] = count(); print(@x[1] + 1) }", []],
  [
    "BEGIN { @x++; @x = comm }",
    [
      "error type-mismatch '@x = comm': @x holds int64, it cannot hold string[16] too | use another map for the other kind of value | @x is first used here '@x'",
    ],
  ],
  ["BEGIN { @x = @x }", []],
  [
    "BEGIN { @a = (1,comm); @a = (1,2) }",
    [
      "error type-mismatch '@a = (1,2)': @a holds (int8,string[16]), it cannot hold (int8,int8) too | use another map for the other kind of value | @a is first used here '@a'",
    ],
  ],
  [
    "BEGIN { $x = ((uint64 *)pid) % 2; }",
    [
      "error type-mismatch '(uint64 *)pid) % 2': % is not defined for uint64 * and int8 | cast the pointer to an integer: (uint64)p",
    ],
  ],
  [
    "BEGIN { unroll (100) { unroll (100) { @x = pid + 1 + 2 + 3 + 4 + 5; } } }",
    [
      "error program-too-large 'BEGIN { unroll (100) { unroll (100) { @x = pid + 1 + 2 + 3 + 4 + 5; } } }': this action has 110101 expressions, unrolled | at most 50000 fit the kernel's limit of a million instructions; a while loop takes the place of unroll()",
    ],
  ],
  [
    "BEGIN { $x = (struct nope *)1; }",
    [
      "error no-btf 'struct nope': 'struct nope' is unknown: no BTF here | the kernel's types come from BTF (CONFIG_DEBUG_INFO_BTF)",
    ],
    { kernel: new FixtureKernel({ withoutBtf: "no BTF here" }) },
  ],
];

for (const [script, told, options = {}] of cases) {
  test(script, () => {
    assert.deepEqual(compileText(script, options).diagnostics.map(renderBrief), told);
  });
}

test("conditions of constants are known when the script is compiled", () => {
  const asserting = (condition: string): string => `begin { static_assert(${condition}, "it does not hold"); }`;
  const holding = [
    "1 == 1",
    "sizeof(uint64) == 8",
    "2 > 1 && 3 != 4",
    "-1 < 0",
    "0xffffffffffffffff >= 1",
    "2 <= 2",
    "0 || 5",
    "!0",
    '"a" == "a"',
    '"a" != "b"',
    "5 || pid",
  ];
  for (const condition of holding) assert.deepEqual(complaints(asserting(condition)), [], condition);
  for (const condition of ["1 == 2", "2 < 2", '"a" != "a"', "1 > 2 || 0", "!3", "0 && pid"])
    assert.equal(complaint(asserting(condition)).message, "it does not hold", condition);
  for (const condition of ["pid == 1", "pid == 1 && 1", "1 && pid"])
    assert.match(complaint(asserting(condition)).message, /known at compile time/, condition);
});

test("comptime: what must be known; of an if only the way that is taken is looked at", () => {
  const asText = (text: string): string => `begin { ${text} }`;
  for (const text of [
    "@a = comptime (1 + 1);",
    "@a = comptime 1 + pid;",
    'if comptime (is_str(pid)) { fail("a"); }',
    "if comptime is_integer(pid) { @b = 1; } else { @b = strlen(pid); }",
    'if comptime (sizeof(pid) == 3) { fail("3"); } else if comptime (1 == 1) { @c = 1; } else { fail("else"); }',
    '@d = comptime ("a" == "b") ? strlen(pid) : 2;',
    '@e = if comptime (1) { pid } else { "text" };',
  ])
    assert.deepEqual(complaints(asText(text)), [], text);
  assert.equal(
    renderBrief(complaint(asText("if comptime (pid == 1) { exit(); }"))).slice(0, 95),
    "error not-constant 'comptime (pid == 1)': Unable to resolve comptime expression | constants, sizes a".slice(0, 95),
  );
  assert.equal(complaint(asText('if comptime (1) { fail("%d", 3); }')).message, "3");
  // Without the word both ways are looked at, as bpftrace does.
  assert.equal(complaint(asText('if (1 == 2) { fail("b"); }')).message, "b");
});

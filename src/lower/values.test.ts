import assert from "node:assert/strict";
import { test } from "node:test";
import { Simulation } from "../../test/support/simulation.js";

/** Runs an action once and answers the maps that it names. */
function mapsOf(body: string, registers: Readonly<Record<string, bigint>> = {}): Record<string, string | undefined> {
  const simulation = new Simulation(`kprobe:vfs_read { ${body} }`).fire({ registers });
  return Object.fromEntries([...simulation.compiled.script.maps.keys()].map((name) => [name, simulation.scalar(name)]));
}

test("arithmetic by the signs of its operands", () => {
  const registers = { arg0: 0xffff_ffffn, arg1: -1n, arg2: 7n };
  assert.deepEqual(
    mapsOf(
      `@a = (int32)arg0 >> 4; @b = arg1 >> 60; @c = (int32)arg0 / 2; @d = arg1 / 2; @e = (int64)arg1 % 2;
       @f = arg2 - 9; @g = ~arg2; @h = -arg2; @i = (uint8)300; @j = (int8)200; @k = arg2 * -3;`,
      registers,
    ),
    {
      "@a": "-1",
      "@b": "15",
      "@c": "0",
      "@d": "9223372036854775807",
      "@e": "-1",
      "@f": "-2",
      "@g": "18446744073709551608",
      "@h": "18446744073709551609",
      "@i": "44",
      "@j": "-56",
      "@k": "-21",
    },
  );
});

test("negated and inverted numbers have the types that they have in bpftrace", () => {
  // What C has, and bpftrace 0.27.1 where it computes with them (of ~$c it prints 4294967290).
  const script = `let $a: int8 = 5; let $b: int16 = 5; let $c: int32 = 5; let $d: int64 = 5; let $e: uint32 = 5;
    print(~$a); print(~$b); print(~$c); print(~$d); print(~$e); print(~arg0); print(~5); print(~(-6)); print(~(int64)arg0);
    print(~$c < 3); print(~$d < 3); print(-$e); print(-(uint64)5); print(-arg0); print((int64)-arg0); print(-arg0 < 1);
    print(-(-(uint8)128)); print(-(-(uint8)arg0)); print(~(-$e)); print(-(-(-arg0)));`;
  const signed = ["-6", "-6", "-6", "-6"];
  const inverted = [...signed, "4294967290", "18446744073709551610", "18446744073709551610", "5", "-6"];
  const negated = ["4294967291", "18446744073709551611", "18446744073709551611", "-5", "false"];
  const twice = ["128", "5", "4", "18446744073709551611"];
  assert.deepEqual(new Simulation(`kprobe:vfs_read { ${script} }`).fire({ registers: { arg0: 5n } }).said, [
    ...inverted,
    ...["true", "true"],
    ...negated,
    ...twice,
  ]);
});

test("comparisons by the signs of their operands", () => {
  const said = (registers: Readonly<Record<string, bigint>>): string =>
    new Simulation(
      `kprobe:vfs_read { if (arg0 < 5) { print("u<") } if ((int64)arg0 < 5) { print("s<") }
       if (arg0 == -1) { print("==") } if ((int32)arg0 <= -1) { print("<=") } if (!arg0) { print("!") } }`,
    ).fire({ registers }).text;
  assert.equal(said({ arg0: 0n }), "u<s<!");
  assert.equal(said({ arg0: 5n }), "");
  assert.equal(said({ arg0: -1n }), "s<==<=");
  assert.equal(said({ arg0: 0xffff_ffffn }), "<=");
});

test("numbers that no register divides by", () => {
  // As in bpftrace; the processor's own rule for BPF is 0 and the dividend.
  assert.deepEqual(
    mapsOf("@a = arg0 / arg1; @b = arg0 % arg1; @c = (int64)arg0 / (int64)arg2;", { arg0: 9n, arg2: -2n }),
    {
      "@a": "1",
      "@b": "1",
      "@c": "-4",
    },
  );
});

test("steps and compound assignments keep 64 bits", () => {
  assert.deepEqual(
    mapsOf(
      `@a++; @b--; $x = @a++; @c = $x; @d = ++@a; @e = --@k[1]; @f = @k[1]--; @g = 10; @g /= 3; @g <<= 2; @g |= 1;
       @h = -8; @h >>= 1; @i = 5; @i *= -3; @i %= 4; @j = (uint8)255; @j += 1; $y = (int8)127; $y++; @l = $y; @m ^= 6;`,
    ),
    {
      "@a": "3",
      "@b": "-1",
      "@c": "1",
      "@d": "3",
      "@k": undefined,
      "@e": "-1",
      "@f": "-1",
      "@g": "13",
      "@h": "-4",
      "@i": "-3",
      "@j": "256",
      "@l": "128",
      "@m": "6",
    },
  );
});

test("compound assignments are typed as the plain ones", () => {
  const types = ["int8", "int32", "int64", "uint8", "uint16", "uint32", "uint64"];
  const operators = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"];
  const operands = ["7", "-3", "(uint8)9", "(int64)-11", "(uint64)arg0", "(int32)arg1"];
  const registers = { arg0: 5n, arg1: 0xffff_fff3n };
  for (const type of types) {
    const statements = operators.flatMap((op, i) =>
      operands.map((operand, j) => {
        const n = `${i}_${j}`;
        const shifted = op === "<<" || op === ">>" ? "(uint8)3" : operand;
        return `$a${n} = (${type})arg0; $a${n} ${op}= ${shifted}; $b${n} = (${type})arg0; $b${n} = $b${n} ${op} ${shifted};
          @c${n} = (${type})arg0; @c${n} ${op}= ${shifted}; @d${n} = (${type})arg0; @d${n} = @d${n} ${op} ${shifted};
          if ($a${n} != $b${n} || ($a${n} < 0) != ($b${n} < 0)) { print("$ ${type} ${op}= ${shifted}") }
          if (@c${n} != @d${n} || (@c${n} < 0) != (@d${n} < 0)) { print("@ ${type} ${op}= ${shifted}") }`;
      }),
    );
    const texts = statements.map((body) => new Simulation(`kprobe:vfs_read { ${body} }`).fire({ registers }).text);
    assert.equal(texts.join(""), "", type);
  }
});

test("a difference can be negative, and a declared type stays", () => {
  assert.deepEqual(
    mapsOf(
      `$w = (uint32)5; $w -= 10; @a = $w; @b = (uint16)0; @b--; $b = (uint64)3; $b -= 5; @c = $b < 0;
       let $u: uint8 = 255; $u++; @d = $u; $u += 300; @e = $u; let $v: uint8 = 0; @f = --$v; @g = $v--; @h = $v;`,
    ),
    { "@a": "-5", "@b": "-1", "@c": "true", "@d": "0", "@e": "44", "@f": "255", "@g": "255", "@h": "254" },
  );
});

test("booleans", () => {
  assert.deepEqual(
    mapsOf("@a = 5 > 3; @b = !@a; @c = true; @d = (uint64)(arg0 == 1) + 1; @e = (bool)5;", { arg0: 1n }),
    {
      "@a": "true",
      "@b": "false",
      "@c": "true",
      "@d": "2",
      "@e": "true",
    },
  );
});

test("pointers step by what they point at", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read { @a = *(uint32 *)arg0; @b = *(int16 *)(arg0 + 4); @c = ((uint8 *)arg0)[7]; $p = (uint64 *)arg0;
     @d = *($p + 1); @e = $p[1]; @f = *(int8 *)arg0; $q = $p + 2; @g = $q - $p; $p++; @h = *$p; }`,
  );
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => 0xf0 + i);
  simulation.fire({ registers: { arg0: simulation.put("kernel", bytes) } });
  assert.equal(simulation.number("@a"), 0xf3f2f1f0n);
  assert.equal(simulation.number("@b"), BigInt.asIntN(16, 0xf5f4n));
  assert.equal(simulation.number("@c"), 0xf7n);
  assert.equal(simulation.number("@d"), 0xfffe_fdfc_fbfa_f9f8n);
  assert.equal(simulation.number("@e"), 0xfffe_fdfc_fbfa_f9f8n);
  assert.equal(simulation.number("@f"), -16n);
  assert.equal(simulation.number("@h"), 0xfffe_fdfc_fbfa_f9f8n);
});

test("members of kernel structures: numbers, text, bit fields, nested ones, whole records", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read { $t = curtask; @pid = $t->pid; @comm = $t->comm; @deep = $t->parent->parent->tgid;
     $h = (struct tcphdr *)arg0; @doff = $h->doff; @syn = $h->syn; @port = (*$h).source; @addr = *(struct in_addr *)arg0;
     @byte = ((struct sockaddr_in *)arg0)->__pad[1]; $i = arg1; @at = ((struct sockaddr_in *)arg0)->__pad[$i]; }`,
  );
  simulation.setTask("pid", -42n);
  simulation.setTask("tgid", 41n);
  simulation.setTask("comm", "worker");
  simulation.setTask("parent", simulation.machine.environment.task);
  const header = Uint8Array.from({ length: 20 }, (_, i) => i * 13);
  simulation.fire({ registers: { arg0: simulation.put("kernel", header), arg1: 3n } });
  const found = ["@pid", "@comm", "@deep", "@doff", "@syn", "@port", "@addr", "@byte", "@at"].map((n) =>
    simulation.scalar(n),
  );
  assert.deepEqual(found, ["-42", "worker", "41", "9", "0", "3328", "{s_addr=656018688}", `${9 * 13}`, `${11 * 13}`]);
});

test("a read that fails is 0, and text that cannot be read is empty", () => {
  const simulation = new Simulation(
    'kprobe:vfs_read { @a = *(uint64 *)arg0; @b = ((struct task_struct *)arg0)->comm; printf("[%s]", str(arg0)); }',
  ).fire({ registers: { arg0: 0x10n } });
  assert.deepEqual([simulation.scalar("@a"), simulation.scalar("@b"), simulation.text], ["0", "", "[]"]);
});

test("sizes and offsets are those of BTF", () => {
  const simulation = new Simulation(
    `BEGIN { $t = curtask; @a = sizeof(struct in6_addr); @b = offsetof(struct sockaddr_in, sin_addr); @c = sizeof(uint32);
     @d = sizeof(comm); @e = sizeof(1); @f = sizeof(*$t); @g = sizeof(struct task_struct); }`,
  ).fire();
  assert.deepEqual(
    ["@a", "@b", "@c", "@d", "@e"].map((name) => simulation.number(name)),
    [16n, 4n, 4n, 16n, 1n],
  );
  assert.equal(simulation.number("@f"), simulation.number("@g"));
});

test("an enumerator has eight bytes, its enumeration what C gives it", () => {
  const simulation = new Simulation(
    `enum small { ONE = 1, TWO }
     BEGIN { @a = sizeof(TWO); @b = sizeof(enum small); @c = sizeof((enum small)1); @d = TWO + ONE; }`,
  ).fire();
  assert.deepEqual(
    ["@a", "@b", "@c", "@d"].map((name) => simulation.number(name)),
    [8n, 4n, 4n, 3n],
  );
});

test("conditional results and blocks with a value", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read { $s = arg0 ? "yes" : "no way"; print($s); printf("%s", arg0 > 1 ? "big" : "small");
     $x = { @n += 2; @n * 10 }; print($x); print(arg0 ? (1, "a") : (2, "bcd")); }`,
  );
  simulation.fire({ registers: { arg0: 1n } }).fire({ registers: { arg0: 0n } });
  assert.deepEqual(simulation.said, ["yes", "small", "20", "(1,a)", "no way", "small", "40", "(2,bcd)"]);
});

test("positional parameters are numbers or text, and 0 or empty if they are missing", () => {
  const simulation = new Simulation(
    'BEGIN { printf("%d %s %s %d %d|%s|", $1, str($2), str($1), $#, $3, str($3)); @[$1] = $2; }',
    {
      positional: ["0x2a", "word"],
    },
  ).fire();
  assert.equal(simulation.text, "42 word 0x2a 2 0||");
  assert.deepEqual(simulation.map("@"), { 42: "word" });
});

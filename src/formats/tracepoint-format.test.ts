import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { FormatError } from "../base/errors.js";
import { isCommonField, parseTracepointFormat } from "./tracepoint-format.js";

const read = (event: string): string => readFileSync(fixture("tracefs", event, "format"), "utf8");

test("a scheduler event", () => {
  const format = parseTracepointFormat(read("sched/sched_switch"));
  assert.equal(format.name, "sched_switch");
  assert.ok(format.id > 0);
  const fields = format.fields.filter((field) => !isCommonField(field));
  assert.deepEqual(
    fields.map((field) => field.name),
    ["prev_comm", "prev_pid", "prev_prio", "prev_state", "next_comm", "next_pid", "next_prio"],
  );
  assert.deepEqual(fields[0], {
    declaration: "char prev_comm[16]",
    name: "prev_comm",
    cType: "char",
    offset: 8,
    size: 16,
    signed: false,
    kind: "array",
    arrayCount: 16,
  });
  const { declaration, ...second } = fields[1] ?? {};
  assert.equal(declaration, "pid_t prev_pid");
  assert.deepEqual(second, { name: "prev_pid", cType: "pid_t", offset: 24, size: 4, signed: true, kind: "scalar" });
  assert.match(format.printFmt, /^"prev_comm=%s/);
});

test("a system call and dynamic fields", () => {
  const openat = parseTracepointFormat(read("syscalls/sys_enter_openat"));
  assert.equal(openat.fields.find((field) => field.name === "filename")?.cType, "const char *");
  const exec = parseTracepointFormat(read("sched/sched_process_exec"));
  const filename = exec.fields.find((field) => field.name === "filename");
  assert.deepEqual([filename?.kind, filename?.cType, filename?.size], ["data-loc", "char", 4]);
  assert.equal(exec.fields.filter(isCommonField).length, 4);
});

test("forms that the fixtures do not have", () => {
  const format = parseTracepointFormat(
    [
      "name: made_up",
      "ID: 7",
      "format:",
      "\tfield:__rel_loc u8[] data;\toffset:8;\tsize:4;\tsigned:0;",
      "\tfield:__u8 saddr[sizeof(struct sockaddr_in6)];\toffset:12;\tsize:28;\tsigned:0;",
      "\tfield:struct x y[SIZE];\toffset:40;\tsize:28;\tsigned:0;",
      "\tfield:u32 grid[2][3];\toffset:68;\tsize:24;\tsigned:0;",
      "\tfield:char *text;\toffset:92;\tsize:8;",
      "",
      'print fmt: "%s", REC->text',
    ].join("\n"),
  );
  assert.deepEqual(
    format.fields.map(({ name, cType, kind, arrayCount }) => [name, cType, kind, arrayCount]),
    [
      ["data", "u8", "rel-loc", undefined],
      ["saddr", "__u8", "array", 28],
      ["y", "struct x", "array", undefined],
      ["grid", "u32", "array", 6],
      ["text", "char *", "scalar", undefined],
    ],
  );
});

test("every fixture parses", () => {
  for (const category of readdirSync(fixture("tracefs"))) {
    for (const event of readdirSync(fixture("tracefs", category))) {
      assert.equal(parseTracepointFormat(read(`${category}/${event}`)).name, event);
    }
  }
});

test("broken text gives values or FormatErrors", () => {
  assert.throws(() => parseTracepointFormat(""), FormatError);
  for (const event of ["sched/sched_switch", "sched/sched_process_exec"]) {
    fuzz(Buffer.from(read(event)), 1500, (bytes) => parseTracepointFormat(bytes.toString("latin1")));
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { compileScript } from "../../test/support/compile-script.js";

/** Whether stacks of a script are sent to be finished. */
function defers(body: string): boolean {
  const { object } = compileScript(`profile:hz:99 { ${body} }`, { pid: 1 });
  return object.maps.some(({ name }) => name === "unwind_pending");
}

for (const body of [
  "@[dw_ustack] = count();",
  "@[dw_ustack, comm] = hist(nsecs);",
  "@[dw_ustack]++; @[dw_ustack] += 2; print(@); clear(@);",
  "@last[tid] = dw_ustack;",
  'printf("%s", dw_ustack);',
  "@[dw_ustack] = max(nsecs); @n[tid] = 1; if (@n[tid] > 0) { print(1); }",
])
  test(`may come late: ${body}`, () => assert.equal(defers(body), true));

for (const body of [
  "@[dw_ustack] = nsecs;",
  "@[dw_ustack] = (uint64)1; @[dw_ustack] *= 2;",
  "@[dw_ustack] = count(); delete(@, dw_ustack);",
  "@[dw_ustack]++; if (@[dw_ustack] > 5) { print(1); }",
  "$x = @[dw_ustack]++; print($x);",
  "@[dw_ustack] = count(); print(len(@));",
  "@[dw_ustack] = count(); for ($kv : @) { print($kv.1); }",
  "print(len(dw_ustack));",
])
  test(`is what it is at once: ${body}`, () => assert.equal(defers(body), false));

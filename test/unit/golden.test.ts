// test/golden/*.case: a script, then `--- ir` with the optimised IR of its programs, `--- diagnostics` with what it is
// told. `npm run golden -- --update` writes what comes out now; the diff is for people to read.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { renderDiagnostic } from "../../src/base/diagnostics.js";
import { fixture } from "../fixtures/path.js";
import { compileText } from "../support/compile-script.js";

const folder = fixture("../golden");
const update = process.env["GOLDEN_UPDATE"] === "1";

/** The case as it should be: the script, then the sections that have something to say. */
function render(script: string): string {
  const ir: string[] = [];
  const { diagnostics } = compileText(script, {
    dump: (stage, title, text) => {
      if (stage === "ir" && !title.endsWith("as lowered")) ir.push(text);
    },
  });
  const sections = [script];
  if (ir.length > 0) sections.push(`ir\n${ir.join("\n")}`);
  if (diagnostics.length > 0) sections.push(`diagnostics\n${diagnostics.map(renderDiagnostic).join("\n\n")}\n`);
  return sections.join("--- ");
}

for (const name of readdirSync(folder).sort()) {
  test(name, () => {
    const path = join(folder, name);
    const text = readFileSync(path, "utf8");
    const end = text.search(/^--- /m);
    const script = end < 0 ? text : text.slice(0, end);
    const expected = render(script);
    if (update) writeFileSync(path, expected);
    else assert.equal(text, expected, `${name} differs; npm run golden -- --update writes what comes out now`);
    assert.match(expected, /^--- (ir|diagnostics)$/m);
  });
}

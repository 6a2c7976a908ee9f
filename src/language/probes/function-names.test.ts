import assert from "node:assert/strict";
import { test } from "node:test";
import { functionPattern, withoutParameters, withoutTemplateArguments } from "./function-names.js";

test("names of C++ without their parameters", () => {
  for (const [full, name] of [
    ["ns::f(int)", "ns::f"],
    ["f()", "f"],
    ["ns::A::g(void (*)(char), int) const", "ns::A::g"],
    ["A::operator()(int)", "A::operator()"],
    ["variable", "variable"],
    ["odd)", "odd)"],
  ] as const)
    assert.equal(withoutParameters(full), name);
});

test("names of C++ without their template arguments", () => {
  for (const [full, name] of [
    ["ns<int>::f<std::vector<char>>", "ns<int>::f"],
    ["ns<int>::f", "ns<int>::f"],
    ["odd>", "odd>"],
  ] as const)
    assert.equal(withoutTemplateArguments(full), name);
});

test("symbols by the names of their language, or as they are", () => {
  const symbols = ["_ZN2ns1fEi", "_ZN2ns1fEc", "_ZN2ns1gEv", "ns", "_ZN5other1fEi", "_Zbroken"];
  const found = (text: string, language?: string) => symbols.filter(functionPattern(text, language).matches);
  assert.deepEqual(found("ns::f", "cpp"), ["_ZN2ns1fEi", "_ZN2ns1fEc"]);
  assert.deepEqual(found("ns::f(char)", "cpp"), ["_ZN2ns1fEc"]);
  assert.deepEqual(found("*::f", "cpp"), ["_ZN2ns1fEi", "_ZN2ns1fEc", "_ZN5other1fEi"]);
  assert.deepEqual(found("_ZN2ns*", "cpp"), ["_ZN2ns1fEi", "_ZN2ns1fEc", "_ZN2ns1gEv"]);
  assert.deepEqual(found("ns::f"), []);
  assert.deepEqual([functionPattern("ns", undefined).exact, functionPattern("n*", undefined).exact], [true, false]);
});

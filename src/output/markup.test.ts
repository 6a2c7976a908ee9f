import assert from "node:assert/strict";
import { test } from "node:test";
import { embeddedJson, escaped, visibleLines, visibleText } from "./markup.js";

const hostile = `</script><!-- ]]> "'&amp; \u0000\u001b[31m\u007f\u0085 \u2028\u2029\u202e\u200b \ud800 \udc00 \ufffe\uffff \u{e0041} é日本😀`;

test("what cannot be seen is spelled out", () => {
  assert.equal(visibleText("a\x00\x1b[31m\n\t\x7f\x85"), "a\\x00\\x1b[31m\\x0a\\x09\\x7f\\u0085");
  assert.equal(
    visibleText("\u2028\u202e\ufeff\ud800\udc00x\udc00 \ud801\uffff"),
    "\\u2028\\u202e\\ufeff\u{10000}x\\udc00 \\ud801\\uffff",
  );
  assert.equal(visibleText("\u{e0041}"), "\\u{e0041}");
  // Bytes that are no UTF-8.
  assert.equal(visibleText("\udc80\udcff"), "\\x80\\xff");
  assert.equal(visibleText("é日本😀 std::vector<int, a>::~x() const&"), "é日本😀 std::vector<int, a>::~x() const&");
  assert.equal(visibleLines("a\tb\r\nc\x07\n"), "a\tb\\x0d\nc\\x07\n");
});

test("markup in foreign text is text", () => {
  assert.equal(escaped(`<b a="1" c='2'>&lt;`), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;lt;");
  assert.doesNotMatch(escaped(hostile), /[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/);
});

test("JSON in a page is ASCII, ends nothing, and is the same value", () => {
  const value = { [hostile]: [hostile, 1, null] };
  const json = embeddedJson(value);
  assert.match(json, /^[\x20-\x7e]*$/);
  assert.doesNotMatch(json, /<|>|&/);
  assert.deepEqual(JSON.parse(json), value);
});

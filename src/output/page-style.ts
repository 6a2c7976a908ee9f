import { frameKinds } from "./frame-kind.js";
import { shadeColour, shades } from "./frame-look.js";

export const fixedFont = 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace';
export const textFont = 'system-ui, "Segoe UI", Roboto, "DejaVu Sans", Arial, sans-serif';

const frameRules = (scheme: "light" | "dark"): string =>
  frameKinds
    .flatMap((kind) =>
      Array.from({ length: shades }, (_, s) => `.k-${kind}.s${s}{--c:${shadeColour(kind, scheme, s)}}`),
    )
    .join("");

/** Colours of lines and bars of charts, apart from each other for the colour-blind, too (Okabe and Ito). */
export const seriesColours = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
  "#e69f00",
  "#8b6fd6",
  "#7f7f7f",
] as const;

/** The style sheet of flame graphs and their controls, wherever they stand. */
export const flameStyle = `
:root{--ink:#1b1f24;--soft:#59636e;--paper:#fff;--panel:#f6f8fa;--line:#d1d9e0;--accent:#0969da;--hit:#c21e8b;--hitfill:#c21e8b;--warn:#7d4e00;--warnpaper:#fff5d6;--warnline:#e3b341;--good:#1a7f37;--bar:#4a90d0;color-scheme:light dark}
${frameRules("light")}
@media(prefers-color-scheme:dark){
:root{--ink:#e6edf3;--soft:#9aa6b2;--paper:#0d1117;--panel:#161b22;--line:#30363d;--accent:#4493f8;--hit:#f065be;--hitfill:#b3247f;--warn:#f2cc60;--warnpaper:#2b2408;--warnline:#7a5d0c;--good:#56d364;--bar:#2f6fae}
${frameRules("dark")}
}
svg.beetrace{background:var(--paper)}
.paper{fill:var(--paper)}
.ink{fill:var(--ink)}
.soft{fill:var(--soft)}
.f rect{fill:var(--c)}
.f text{fill:var(--ink);pointer-events:none}
.live .f{cursor:pointer}
.live .f:hover rect{stroke:var(--ink);stroke-width:1}
.f.above{opacity:.55}
.searched .f:not(.hit) rect{fill-opacity:.35}
.f.hit rect{fill:var(--hitfill)}
.f.hit text{fill:#fff}
.f.narrow rect{fill:var(--soft);fill-opacity:.45}
.f.narrow.hit rect{fill:var(--hitfill);fill-opacity:.8}
.f.current rect{stroke:var(--accent);stroke-width:2}
.bar-box{font:13px ${textFont};color:var(--ink);background:var(--paper);padding:8px 10px 6px;box-sizing:border-box}
.bar-row{display:flex;flex-wrap:wrap;gap:6px 10px;align-items:center}
.bar-box h2{font-size:15px;font-weight:600;margin:0;overflow-wrap:anywhere}
.bar-box .summary{color:var(--soft)}
.bar-box .head h2{flex:1 1 12em;min-width:0;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.bar-box input,.bar-box button,.bar-box select{font:inherit;color:inherit;background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:3px 9px;margin:0}
.bar-box input{width:15em;background:var(--paper)}
.bar-box input.wrong{border-color:var(--hit)}
.bar-box button{cursor:pointer}
.bar-box button:hover:enabled{border-color:var(--accent)}
.bar-box button:disabled{opacity:.45;cursor:default}
.bar-box :focus-visible{outline:2px solid var(--accent);outline-offset:1px}
.bar-box .matched:empty{display:none}
.bar-box .matched{color:var(--hit);font-weight:600}
.bar-box .details{margin-top:6px;height:2.7em;line-height:1.35;overflow:hidden;overflow-wrap:anywhere;color:var(--soft)}
.bar-box .details b{color:var(--ink);font-family:${fixedFont};font-weight:600}
.legend{gap:4px 14px;color:var(--soft);font-size:12px;margin-top:2px}
.legend i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:5px;vertical-align:-1px;background:var(--c)}
.notes{margin:6px 0 0;padding:0;list-style:none}
.notes li{background:var(--warnpaper);color:var(--warn);border-left:3px solid var(--warnline);padding:3px 9px;margin-top:3px;overflow-wrap:anywhere}
`.trim();

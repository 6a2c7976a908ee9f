import { fixedFont, textFont } from "./page-style.js";

/** The style sheet of a report, on top of that of flame graphs. */
export const reportStyle = `
*{box-sizing:border-box}
body{margin:0;font:14px/1.5 ${textFont};color:var(--ink);background:var(--paper)}
header,main{max-width:1600px;margin:0 auto;padding:0 24px}
header{padding-top:20px}
h1{font-size:20px;line-height:1.3;margin:0;overflow-wrap:anywhere}
h2{font-size:16px;margin:0 0 8px;overflow-wrap:anywhere;font-family:${fixedFont}}
h3{font-size:13px;color:var(--soft);margin:14px 0 6px}
.about{margin:2px 0 8px;color:var(--soft)}
pre{font:12px/1.45 ${fixedFont};background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:10px 12px;margin:8px 0;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere}
pre.text{max-height:60vh}
summary{cursor:pointer;color:var(--soft)}
nav{display:flex;flex-wrap:wrap;gap:4px 8px;margin:10px 0 0}
nav a{color:var(--accent);text-decoration:none;background:var(--panel);border:1px solid var(--line);border-radius:99px;padding:1px 11px;font:12px/1.7 ${fixedFont}}
nav a:hover{border-color:var(--accent)}
.part{margin:26px 0 34px;scroll-margin-top:12px}
.complete{color:var(--good);margin:14px 0}
.notices{list-style:none;margin:14px 0;padding:0}
.notices li,.notice{background:var(--warnpaper);color:var(--warn);border-left:3px solid var(--warnline);border-radius:0 6px 6px 0;padding:6px 12px;margin:4px 0;white-space:pre-wrap;overflow-wrap:anywhere}
.notices .lost,.notices .error{font-weight:600}
.notices .code{font:12px/1.45 ${fixedFont}}
section.flame{border:1px solid var(--line);border-radius:8px;overflow:hidden;background:var(--paper)}
section.flame:focus{outline:none}
section.flame:focus-visible{outline:2px solid var(--accent)}
section.flame h2{margin:0}
.scroll{max-height:min(78vh,1000px);overflow-y:auto;overflow-x:hidden;padding:0;margin:0 10px 10px;scrollbar-width:thin}
svg.frames{display:block}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,520px),1fr));gap:16px}
figure{margin:0;border:1px solid var(--line);border-radius:8px;padding:10px 14px;min-width:0}
figcaption{color:var(--soft)}
figcaption b{color:var(--ink);font-family:${fixedFont};margin-right:8px;overflow-wrap:anywhere}
.rows{max-height:72vh;overflow:auto;scrollbar-width:thin}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:2px 10px;vertical-align:top;white-space:pre-wrap;overflow-wrap:anywhere}
.number{text-align:right;white-space:nowrap}
figure.hist table{width:100%;font-size:12px;line-height:1.35;margin-top:6px}
figure.hist th{font:12px ${fixedFont};white-space:nowrap;width:1px;padding:1px 8px 1px 0;text-align:right}
figure.hist td{padding:1px 6px}
figure.hist .number{width:1px}
figure.hist .share{color:var(--soft);min-width:5em}
.bar i{display:block;height:13px;min-width:0;background:var(--bar);border-radius:0 3px 3px 0}
.bar{border-left:1px solid var(--line);padding-left:0!important}
figure.hist tr:hover{background:var(--panel)}
table.sortable{min-width:min(100%,420px);border:1px solid var(--line)}
.sortable thead th{position:sticky;top:0;background:var(--panel);padding:0;border-bottom:1px solid var(--line)}
.sortable th button{font:inherit;font-weight:600;color:inherit;background:none;border:0;width:100%;text-align:inherit;padding:5px 10px;cursor:pointer}
.sortable th[aria-sort=ascending] button::after{content:" ▲";font-size:9px}
.sortable th[aria-sort=descending] button::after{content:" ▼";font-size:9px}
.sortable td{border-bottom:1px solid var(--line);font:12.5px/1.5 ${fixedFont}}
.sortable tbody tr:hover{background:var(--panel)}
td.shared{background:linear-gradient(to left,color-mix(in srgb,var(--bar) 35%,transparent) var(--share),transparent 0);min-width:12em}
.lines figure{overflow-x:auto}
.lines svg{display:block;width:100%;min-width:640px;max-width:1200px;height:auto}
.lines figure+figure{margin-top:16px}
.grid{stroke:var(--line);stroke-width:1}
.axis{fill:var(--soft);font-size:11px;font-variant-numeric:tabular-nums}
.earlier{margin-top:10px}
`.trim();

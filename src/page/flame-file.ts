// The script of an SVG file with flame graphs, opened in a browser.
import type { EmbeddedFile } from "../output/flame-data.js";
import { margin } from "../output/flame-layout.js";
import { svg } from "./elements.js";
import { FlameView } from "./flame-view.js";
import { answerKey } from "./keys.js";

const root = document.documentElement;
const head = document.getElementById("head");
const group = document.getElementById("frames");
const data = document.getElementById("graphs");
if (root instanceof SVGSVGElement && head !== null && group instanceof SVGGElement && data !== null)
  start(root, head, group, JSON.parse(data.textContent ?? "") as EmbeddedFile);

function start(picture: SVGSVGElement, drawnHead: Element, frames: SVGGElement, file: EmbeddedFile): void {
  const holder = svg("foreignObject", { x: 0, y: 0, width: "100%", height: 0 });
  let barHeight = 0;
  const view = new FlameView(file.graphs, file.title, {
    group: frames,
    width: () => Math.max(100, picture.getBoundingClientRect().width - 2 * margin),
    resized(height, rootAt) {
      // A frame keeps its place on the screen where the picture grows above it.
      const below = picture.getBoundingClientRect().height - window.scrollY;
      barHeight = view.bar.element.offsetHeight;
      holder.setAttribute("height", String(barHeight));
      frames.setAttribute("transform", `translate(${margin} ${barHeight})`);
      picture.setAttribute("height", String(barHeight + height + margin));
      if (rootAt === "bottom") window.scrollTo(window.scrollX, barHeight + height + margin - below);
      stick();
    },
  });
  // The controls stay in sight.
  const stick = (): void => holder.setAttribute("y", String(Math.max(0, window.scrollY)));

  picture.removeAttribute("viewBox");
  picture.setAttribute("width", "100%");
  holder.append(view.bar.element);
  drawnHead.replaceWith();
  picture.append(holder);
  view.choose(0);
  window.scrollTo(0, root.getBoundingClientRect().height);
  window.addEventListener("resize", () => view.draw());
  window.addEventListener("scroll", stick);
  window.addEventListener("keydown", (event) => answerKey(view, event));
}

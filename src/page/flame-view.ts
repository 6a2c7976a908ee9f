import { decodeTree, type EmbeddedGraph } from "../output/flame-data.js";
import {
  amountText,
  columnWidth,
  type FlameBox,
  flameBoxes,
  levelsOf,
  matchedWeight,
  matchingFrames,
  percentText,
  rowHeight,
  shortened,
  weightText,
} from "../output/flame-layout.js";
import { type FlameTree, presentKinds } from "../output/flame-tree.js";
import { frameClass, kindNames } from "../output/frame-look.js";
import { html, svg } from "./elements.js";
import { createFlameBar, type FlameBar } from "./flame-bar.js";

/** Where a graph is drawn, by the page that has it. */
export interface FlameStage {
  /** Takes the boxes; x runs from 0 to `width()`. */
  readonly group: SVGGElement;
  width(): number;
  /** The picture has this height from now on; `root` is where the root stands in it. */
  resized(height: number, root: "top" | "bottom"): void;
}

/** Pixels; what is narrower is drawn together with its neighbours. */
const leastWidth = 0.5;
/** Elements that a browser draws at once without a pause that one would feel. */
const mostBoxes = 12_000;

/** Draws a graph and answers the mouse and the keyboard. */
export class FlameView {
  readonly bar: FlameBar;
  private readonly graphs: readonly EmbeddedGraph[];
  private readonly stage: FlameStage;
  private readonly title: string;
  private readonly trees = new Map<number, FlameTree>();
  private graph: EmbeddedGraph;
  private tree: FlameTree;
  private zoomed = 0;
  /** Levels that are drawn while nothing is zoomed: with less the picture would jump. */
  private leastLevels = 0;
  private rootAtTop = false;
  /** Of each frame whether it matches what is searched for. */
  private matches: Uint8Array | undefined;
  /** Of each node how many of those in front of it match. */
  private matchedBefore = new Uint32Array(0);
  /** Nodes that Enter goes through, the widest first. */
  private found: readonly number[] = [];
  private atFound = -1;
  /** What the keyboard has chosen. */
  private current: number | undefined;
  private boxes: readonly FlameBox[] = [];
  private readonly elements: Element[] = [];
  private readonly boxOf = new WeakMap<Element, FlameBox>();

  constructor(graphs: readonly EmbeddedGraph[], title: string, stage: FlameStage) {
    const [first] = graphs;
    if (first === undefined) throw new Error("a page without a graph");
    this.graphs = graphs;
    this.title = title;
    this.stage = stage;
    this.graph = first;
    this.tree = this.treeOf(0);
    this.bar = createFlameBar(graphs.map(({ name }) => name));
    this.listen();
  }

  /** Shows the map at that place. */
  choose(place: number): void {
    const graph = this.graphs[place];
    if (graph === undefined) return;
    this.graph = graph;
    this.tree = this.treeOf(place);
    this.zoomed = 0;
    this.current = undefined;
    const title = this.title === "" ? graph.name : `${graph.name} — ${this.title}`;
    this.bar.show({ title, notes: graph.notes, kinds: presentKinds(this.tree) });
    this.search(this.bar.search.value);
  }

  /** Draws everything anew, e.g. because the window has another width. */
  draw(): void {
    const width = this.stage.width();
    let least = leastWidth;
    do {
      this.boxes = flameBoxes(this.tree, this.zoomed, width, least);
      least *= 2;
    } while (this.boxes.length > mostBoxes);
    const drawn = levelsOf(this.boxes);
    if (this.zoomed === 0) this.leastLevels = drawn;
    const levels = Math.max(drawn, this.leastLevels);
    const { group } = this.stage;
    group.classList.add("live");
    group.classList.toggle("searched", this.matches !== undefined);
    this.elements.length = 0;
    for (const box of this.boxes) this.elements.push(this.element(box, levels));
    group.replaceChildren(...this.elements);
    this.stage.resized(levels * rowHeight, this.rootAtTop ? "top" : "bottom");
    this.bar.reset.disabled = this.zoomed === 0;
    this.describe(this.current);
  }

  /** A key that is pressed while no control has the focus; true if it meant something. */
  key(key: string): boolean {
    switch (key) {
      case "/":
        this.bar.search.focus();
        this.bar.search.select();
        return true;
      case "Escape":
        if (this.matches !== undefined) this.clearSearch();
        else if (this.zoomed !== 0) this.zoom(0);
        else this.select(undefined);
        return true;
      case "Home":
      case "0":
        this.zoom(0);
        return true;
      case "Backspace":
        this.zoom(this.tree.parent[this.zoomed] ?? 0);
        return true;
      case "i":
        this.flip();
        return true;
      case "Enter":
        if (this.current !== undefined) this.zoom(this.current);
        return this.current !== undefined;
      case "ArrowUp":
        return this.step(this.rootAtTop ? "parent" : "child");
      case "ArrowDown":
        return this.step(this.rootAtTop ? "child" : "parent");
      case "ArrowLeft":
        return this.step("left");
      case "ArrowRight":
        return this.step("right");
      default:
        return false;
    }
  }

  private treeOf(place: number): FlameTree {
    const known = this.trees.get(place);
    if (known !== undefined) return known;
    const graph = this.graphs[place];
    if (graph === undefined) throw new Error("no such graph");
    const tree = decodeTree(graph.data);
    this.trees.set(place, tree);
    return tree;
  }

  private listen(): void {
    const { group } = this.stage;
    const { search, reset, flip, chooser } = this.bar;
    const boxAt = (event: Event): FlameBox | undefined => {
      const element = event.target instanceof Element ? event.target.closest(".f") : null;
      return element === null ? undefined : this.boxOf.get(element);
    };
    group.addEventListener("click", (event) => {
      const box = boxAt(event);
      if (box === undefined) return;
      this.current = undefined;
      this.zoom(box.count > 1 ? this.widest(box) : box.node);
    });
    group.addEventListener("mouseover", (event) => {
      const box = boxAt(event);
      if (box !== undefined) this.describe(box.node, box.count > 1 ? box : undefined);
    });
    group.addEventListener("mouseleave", () => this.describe(this.current));
    search.addEventListener("input", () => this.search(search.value));
    search.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") this.nextFound();
      else if (event.key === "Escape") {
        event.preventDefault();
        this.clearSearch();
        search.blur();
      }
    });
    reset.addEventListener("click", () => this.zoom(0));
    flip.addEventListener("click", () => this.flip());
    chooser.addEventListener("change", () => this.choose(Number(chooser.value)));
  }

  private zoom(node: number): void {
    this.zoomed = node;
    this.showMatched();
    this.draw();
  }

  private flip(): void {
    this.rootAtTop = !this.rootAtTop;
    this.draw();
  }

  private clearSearch(): void {
    this.bar.search.value = "";
    this.search("");
  }

  private search(text: string): void {
    const { tree } = this;
    const matches = text === "" ? undefined : matchingFrames(tree, text);
    this.bar.search.classList.toggle("wrong", text !== "" && matches === undefined);
    this.matches = matches;
    this.found = [];
    this.atFound = -1;
    if (matches !== undefined) {
      const before = new Uint32Array(tree.frame.length + 1);
      const found: number[] = [];
      let covered = 0;
      for (const [node, frame] of tree.frame.entries()) {
        const hit = matches[frame] ?? 0;
        before[node + 1] = (before[node] ?? 0) + hit;
        if (hit === 0 || node < covered) continue;
        found.push(node);
        covered = tree.end[node] ?? 0;
      }
      this.matchedBefore = before;
      this.found = found.sort((a, b) => (tree.total[b] ?? 0) - (tree.total[a] ?? 0));
    }
    this.showMatched();
    this.draw();
  }

  private showMatched(): void {
    const { tree, zoomed, matches } = this;
    const { matched, search } = this.bar;
    if (matches === undefined) {
      matched.textContent = search.value === "" ? "" : "not a regular expression";
      return;
    }
    const functions = matches.reduce((sum, hit) => sum + hit, 0);
    const share = (node: number): string => percentText(matchedWeight(tree, node, matches), tree.total[node] ?? 0);
    const shares = zoomed === 0 ? share(0) : `${share(0)}, ${share(zoomed)} of what is shown`;
    matched.textContent =
      functions === 0 ? "no match" : `${shares} (${functions} ${functions === 1 ? "name" : "names"})`;
  }

  private nextFound(): void {
    if (this.found.length === 0) return;
    this.atFound = (this.atFound + 1) % this.found.length;
    this.current = this.found[this.atFound];
    this.zoom(this.current ?? 0);
  }

  /** The widest of the siblings that a box stands for. */
  private widest({ node, count }: FlameBox): number {
    const { total, end } = this.tree;
    let best = node;
    for (let i = 0, at = node; i < count; i++, at = end[at] ?? at) if ((total[at] ?? 0) > (total[best] ?? 0)) best = at;
    return best;
  }

  /** The node behind the last one that a box stands for. */
  private behind({ node, count }: FlameBox): number {
    let at = node;
    for (let i = 0; i < count; i++) at = this.tree.end[at] ?? at;
    return at;
  }

  private element(box: FlameBox, levels: number): SVGGElement {
    const { tree } = this;
    const frame = tree.frames[tree.frame[box.node] ?? 0];
    const narrow = box.count > 1;
    const classes = ["f"];
    if (narrow) classes.push("narrow");
    else if (frame !== undefined) classes.push(frameClass(frame));
    if (box.above) classes.push("above");
    if (this.isHit(box)) classes.push("hit");
    if (!narrow && box.node === this.current) classes.push("current");
    const y = (this.rootAtTop ? box.depth : levels - 1 - box.depth) * rowHeight;
    const width = Math.max(box.width - 0.5, 0.2);
    const element = svg("g", { class: classes.join(" ") });
    element.append(svg("rect", { x: box.x.toFixed(2), y, width: width.toFixed(2), height: rowHeight - 1 }));
    const label = narrow ? "" : shortened(frame?.name ?? "", Math.floor((box.width - 6) / columnWidth));
    if (label !== "") {
      const text = svg("text", { x: (box.x + 3).toFixed(2), y: y + 12 });
      text.textContent = label;
      element.append(text);
    }
    this.boxOf.set(element, box);
    return element;
  }

  private isHit(box: FlameBox): boolean {
    if (this.matches === undefined) return false;
    if (box.count === 1) return this.matches[this.tree.frame[box.node] ?? 0] === 1;
    const { matchedBefore } = this;
    return (matchedBefore[this.behind(box)] ?? 0) > (matchedBefore[box.node] ?? 0);
  }

  private select(node: number | undefined): void {
    this.current = node;
    for (const element of this.elements) {
      const box = this.boxOf.get(element);
      element.classList.toggle("current", node !== undefined && box?.node === node && box.count === 1);
    }
    this.describe(node);
    this.elements.find((element) => element.classList.contains("current"))?.scrollIntoView({ block: "nearest" });
  }

  /** From the chosen box to one beside it, among those that are drawn. */
  private step(to: "parent" | "child" | "left" | "right"): boolean {
    const { current, boxes, tree } = this;
    const from = boxes.find(({ node, count }) => node === current && count === 1);
    if (from === undefined || current === undefined) {
      this.select(this.zoomed);
      return true;
    }
    const single = boxes.filter(({ count }) => count === 1);
    const row = single.filter(({ depth }) => depth === from.depth);
    const at = row.indexOf(from);
    if (to === "parent") this.select(tree.parent[current] ?? 0);
    else if (to === "left") this.select(row[at - 1]?.node ?? current);
    else if (to === "right") this.select(row[at + 1]?.node ?? current);
    else {
      const above = single.filter(({ node }) => node !== 0 && tree.parent[node] === current);
      const widest = above.reduce((best, box) => (box.width > best.width ? box : best), { node: current, width: 0 });
      this.select(widest.node);
    }
    return true;
  }

  /** The line about a frame, or about all where there is none. */
  private describe(node: number | undefined, run?: FlameBox): void {
    const { tree, graph, zoomed } = this;
    const { details } = this.bar;
    const whole = tree.total[0] ?? 0;
    if (run !== undefined) {
      const weight = (run.width / this.stage.width()) * (tree.total[zoomed] ?? 0);
      const share = `${amountText(weightText(weight), graph.noun)}, ${percentText(weight, whole)}`;
      details.replaceChildren(html("b", {}, `${run.count} narrow frames`), ` — ${share} — a click shows the widest`);
      return;
    }
    const frame = node === undefined ? undefined : tree.frames[tree.frame[node] ?? 0];
    if (node === undefined || node === 0 || frame === undefined) {
      const hint = "click a frame to zoom in; / searches, arrows and Enter move, Esc goes back";
      details.replaceChildren(`${graph.summary} — ${hint}`);
      return;
    }
    const weight = tree.total[node] ?? 0;
    const self = tree.self[node] ?? 0;
    const shares = [`${percentText(weight, whole)} of all`];
    if (zoomed !== 0 && node > zoomed && node < (tree.end[zoomed] ?? 0))
      shares.push(`${percentText(weight, tree.total[zoomed] ?? 0)} of what is shown`);
    const kind = frame.reason ?? kindNames[frame.kind];
    const where = [frame.module, frame.file].filter((text) => text !== undefined).join(", ");
    const own = self === 0 ? "nothing in itself" : `${weightText(self)} in itself (${percentText(self, whole)})`;
    const parts = [
      `${amountText(weightText(weight), graph.noun)}, ${shares.join(", ")}`,
      own,
      kind,
      ...(where === "" ? [] : [where]),
    ];
    details.replaceChildren(html("b", {}, frame.name), ` — ${parts.join(" — ")}`);
  }
}

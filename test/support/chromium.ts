// A browser without a window, driven through the DevTools protocol: messages of JSON, each ended by a zero byte, on two
// pipes (--remote-debugging-pipe; no port that others could reach).
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

const program = "/usr/bin/chromium";

/** Why there is no browser; false if there is one. */
export const noChromium = existsSync(program) ? false : `there is no ${program}`;

/** A browser that does not answer this long, in milliseconds, never will. */
const answerLimit = 30_000;

const options = [
  ...["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-extensions"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
  ...["--hide-scrollbars", "--force-device-scale-factor=1", "--remote-debugging-pipe"],
];

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
  readonly sessionId?: string;
}

interface Waiting {
  readonly resolve: (result: Readonly<Record<string, unknown>>) => void;
  readonly reject: (error: Error) => void;
}

export class Browser {
  private readonly child: ChildProcess;
  private readonly folder = mkdtempSync(join(tmpdir(), "chromium-"));
  private readonly waiting = new Map<number, Waiting>();
  private readonly listeners = new Set<(message: Message) => void>();
  private readonly exited: Promise<void>;
  private last = 0;

  constructor() {
    this.child = spawn(program, [...options, `--user-data-dir=${this.folder}`, "about:blank"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
      // Its children die with it.
      detached: true,
    });
    this.exited = new Promise((resolve) => {
      this.child.once("close", () => {
        for (const { reject } of this.waiting.values()) reject(new Error("the browser ended"));
        resolve();
      });
    });
    let rest = "";
    (this.child.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop() ?? "";
      for (const message of messages) this.receive(JSON.parse(message) as Message);
    });
  }

  send(
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    sessionId?: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.last;
    (this.child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method} was not answered`)), answerLimit);
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(id);
      };
      this.waiting.set(id, {
        resolve: (result) => {
          done();
          resolve(result);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
    });
  }

  listen(listener: (message: Message) => void): void {
    this.listeners.add(listener);
  }

  /** Opens a file in a window of that size. */
  async open(file: string, size: { readonly width: number; readonly height: number }): Promise<Page> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, String(sessionId));
    await page.start(file, size);
    return page;
  }

  async close(): Promise<void> {
    await this.send("Browser.close").catch(() => undefined);
    const timer = setTimeout(() => {
      if (this.child.pid !== undefined) process.kill(-this.child.pid, "SIGKILL");
    }, 5000);
    await this.exited;
    clearTimeout(timer);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private receive(message: Message): void {
    const waiting = message.id === undefined ? undefined : this.waiting.get(message.id);
    if (waiting === undefined) for (const listener of this.listeners) listener(message);
    else if (message.error !== undefined) waiting.reject(new Error(message.error.message));
    else waiting.resolve(message.result ?? {});
  }
}

/** A tab with a file in it. */
export class Page {
  /** What the browser complained of: exceptions, messages of the console, requests that left the file. */
  readonly complaints: string[] = [];
  private readonly browser: Browser;
  private readonly session: string;

  constructor(browser: Browser, session: string) {
    this.browser = browser;
    this.session = session;
  }

  async start(file: string, size: { readonly width: number; readonly height: number }): Promise<void> {
    let loaded: () => void = () => undefined;
    const load = new Promise<void>((resolve) => {
      loaded = resolve;
    });
    this.browser.listen(({ method, params, sessionId }) => {
      if (sessionId !== this.session) return;
      if (method === "Page.loadEventFired") loaded();
      if (method === "Runtime.exceptionThrown" || method === "Runtime.consoleAPICalled" || method === "Log.entryAdded")
        this.complaints.push(JSON.stringify(params));
      if (method === "Network.requestWillBeSent") {
        const { url } = (params?.["request"] ?? { url: "" }) as { url: string };
        if (!url.startsWith("file:") && !url.startsWith("data:")) this.complaints.push(`request of ${url}`);
      }
    });
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await this.send(`${domain}.enable`);
    await this.send("Emulation.setDeviceMetricsOverride", { ...size, deviceScaleFactor: 1, mobile: false });
    await this.send("Page.navigate", { url: `file://${file}` });
    await load;
  }

  send(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<Readonly<Record<string, unknown>>> {
    return this.browser.send(method, params, this.session);
  }

  /** The value of an expression, as JSON carries it. */
  async value<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  /** Moves the mouse to the middle of the first element of a selector, or of an expression that answers one, and clicks. */
  async click(element: string): Promise<void> {
    const point = await this.pointAt(element);
    for (const type of ["mousePressed", "mouseReleased"])
      await this.send("Input.dispatchMouseEvent", { type, ...point, button: "left", clickCount: 1 });
  }

  async pointAt(element: string): Promise<{ readonly x: number; readonly y: number }> {
    const point = await this.value<{ x: number; y: number }>(`(() => {
      const element = ${element};
      element.scrollIntoView({ block: "nearest" });
      const box = element.getBoundingClientRect();
      return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    })()`);
    await this.send("Input.dispatchMouseEvent", { type: "mouseMoved", ...point });
    return point;
  }

  async type(text: string): Promise<void> {
    await this.send("Input.insertText", { text });
  }

  async key(key: string): Promise<void> {
    const codes: Readonly<Record<string, number>> = { Enter: 13, Escape: 27, Backspace: 8 };
    const windowsVirtualKeyCode = codes[key] ?? 0;
    const text = key.length === 1 ? key : key === "Enter" ? "\r" : undefined;
    await this.send("Input.dispatchKeyEvent", {
      type: "keyDown",
      key,
      windowsVirtualKeyCode,
      ...(text ? { text } : {}),
    });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", key, windowsVirtualKeyCode });
  }

  async scheme(scheme: "light" | "dark"): Promise<void> {
    await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  }

  /** The window as PNG. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    return Buffer.from(String(data), "base64");
  }
}

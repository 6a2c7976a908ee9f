/**
 * Disposes what it was given, newest first; every one is tried even if one throws, and the first error is thrown at the
 * end. Node 20 has `Symbol.dispose` but no `DisposableStack`.
 */
export class Disposables implements Disposable {
  private items: (() => void)[] = [];

  use<T extends Disposable>(item: T): T {
    this.items.push(() => item[Symbol.dispose]());
    return item;
  }

  defer(run: () => void): void {
    this.items.push(run);
  }

  /** Gives what it holds to a new owner. */
  move(): Disposables {
    const moved = new Disposables();
    moved.items = this.items;
    this.items = [];
    return moved;
  }

  [Symbol.dispose](): void {
    let failed = false;
    let first: unknown;
    for (let item = this.items.pop(); item !== undefined; item = this.items.pop()) {
      try {
        item();
      } catch (error) {
        if (!failed) first = error;
        failed = true;
      }
    }
    if (failed) throw first;
  }
}

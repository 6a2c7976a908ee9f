/** A file that a script imports. */
export type ImportedFile =
  /** Its absolute path tells it from others; `text` is its content. */
  | { readonly kind: "script"; readonly path: string; readonly text: string }
  | { readonly kind: "header"; readonly path: string };

/** Where imports come from; a stand-in in tests. */
export interface ImportReader {
  /** The files at `path` as seen from the script `from`: one, or those of a directory. */
  read(path: string, from: string): readonly ImportedFile[] | { readonly problem: string; readonly hint?: string };
}

export const noImports: ImportReader = { read: () => ({ problem: "imports cannot be read here" }) };

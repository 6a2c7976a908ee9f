import type { FlameFrame } from "./flame-tree.js";
import type { FrameKind } from "./frame-kind.js";

/** Shades of one colour: neighbours of one kind can be told apart, and a name has the same one everywhere. */
export const shades = 4;

/** Hue, saturation and lightness of the first and of the last shade, on white and on black. */
const palette: Readonly<Record<FrameKind, { readonly light: Colour; readonly dark: Colour }>> = {
  label: { light: [215, 22, 88, 80], dark: [215, 14, 34, 28] },
  user: { light: [207, 72, 80, 69], dark: [208, 48, 40, 31] },
  kernel: { light: [31, 92, 78, 66], dark: [27, 58, 37, 29] },
  jit: { light: [130, 42, 79, 68], dark: [135, 34, 34, 26] },
  inlined: { light: [266, 58, 87, 78], dark: [266, 32, 47, 38] },
  unknown: { light: [0, 0, 85, 77], dark: [0, 0, 38, 31] },
};

type Colour = readonly [hue: number, saturation: number, from: number, to: number];

/** As `#rrggbb`, which everything that shows SVG understands. */
function colourText([hue, saturation, from, to]: Colour, shade: number): string {
  const lightness = from + ((to - from) * shade) / (shades - 1);
  const chroma = (saturation / 100) * Math.min(lightness, 100 - lightness);
  // CSS Color 4, 7.1, "HSL to sRGB".
  const channel = (n: number): string => {
    const k = (n + hue / 30) % 12;
    const value = lightness - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round((value / 100) * 255)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}

/** FNV-1a of the name's start: what a name's variants begin with gets different shades rarely enough. */
function shadeOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return ((hash >>> 0) % 1021) % shades;
}

/** The classes of a frame's box, which `flameStyle` colours. */
export const frameClass = ({ name, kind }: FlameFrame): string => `k-${kind} s${shadeOf(name)}`;

/** Its colour on white, for what shows SVG without style sheets. */
export const frameColour = ({ name, kind }: FlameFrame): string => colourText(palette[kind].light, shadeOf(name));

/** Of a kind in a shade, on white or on black. */
export const shadeColour = (kind: FrameKind, scheme: "light" | "dark", shade: number): string =>
  colourText(palette[kind][scheme], shade);

export const kindColour = (kind: FrameKind): string => colourText(palette[kind].light, 1);

/** What the kinds are called in the legend. */
export const kindNames: Readonly<Record<FrameKind, string>> = {
  label: "part of the key",
  user: "program",
  kernel: "kernel",
  jit: "compiled at run time",
  inlined: "inlined",
  unknown: "no name",
};

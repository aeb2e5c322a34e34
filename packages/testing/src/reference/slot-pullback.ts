// Float64 reference of the slot pull-back: LayerNorm's backward for heads that project one stream, in two halves around the weights.
import type { Reference } from '../tolerance.js';

/** Sizes of a fold: `rows` after it, `heads` of `allHeads` from `firstHead`. */
export interface SlotFoldSizes {
  readonly rows: number;
  readonly repeats: number;
  readonly allHeads: number;
  readonly firstHead: number;
  readonly heads: number;
  readonly headWidth: number;
  readonly width: number;
  /** Where y0 of head 0 begins. */
  readonly offset: number;
}

/** gradient and value [repeats · rows, allHeads, K] → Σ_k d / s [rows, heads, K], and Σ_j d (y − y0) / (C s) [rows, heads, repeats]. */
export function slotFold(
  gradient: Float64Array,
  value: Float64Array,
  origin: Float64Array,
  scale: Float64Array,
  { rows, repeats, allHeads, firstHead, heads, headWidth, width, offset }: SlotFoldSizes,
): { readonly folded: Reference; readonly tilts: Reference } {
  const folded = zeros(rows * heads * headWidth);
  const tilts = zeros(rows * heads * repeats);
  for (let row = 0; row < rows; row++)
    for (let h = 0; h < heads; h++)
      for (let k = 0; k < repeats; k++) {
        const s = scale[k * rows + row] as number;
        for (let j = 0; j < headWidth; j++) {
          const at = ((k * rows + row) * allHeads + firstHead + h) * headWidth + j;
          const d = gradient[at] as number;
          const [y, y0] = [value[at] as number, origin[offset + (firstHead + h) * headWidth + j] as number];
          addTo(folded, (row * heads + h) * headWidth + j, d / s, Math.abs(d / s));
          const weight = d / (width * s);
          addTo(
            tilts,
            (row * heads + h) * repeats + k,
            weight * (y - y0),
            Math.abs(weight) * (Math.abs(y) + Math.abs(y0)),
          );
        }
      }
  return { folded, tilts };
}

/** outers [n][rows, heads, C] and tilts [n][rows, heads, repeats] → [n, heads, rows, C]: γ outer − mean − Σ_k x̂_k tilts_k. */
export function slotPullback(
  hat: Float64Array,
  gamma: Float64Array,
  parts: readonly { readonly outer: Float64Array; readonly tilts: Float64Array }[],
  {
    rows,
    heads,
    width,
    repeats,
  }: { readonly rows: number; readonly heads: number; readonly width: number; readonly repeats: number },
): Reference {
  const slots = zeros(parts.length * heads * rows * width);
  for (const [part, { outer, tilts }] of parts.entries())
    for (let h = 0; h < heads; h++)
      for (let row = 0; row < rows; row++) {
        const slot = row * heads + h;
        const g = outer.subarray(slot * width, (slot + 1) * width).map((d, c) => d * (gamma[c] as number));
        const mean = g.reduce((sum, x) => sum + x, 0) / width;
        const size = g.reduce((sum, x) => sum + Math.abs(x), 0) / width;
        for (let c = 0; c < width; c++) {
          const at = ((part * heads + h) * rows + row) * width + c;
          addTo(slots, at, (g[c] as number) - mean, Math.abs(g[c] as number) + size);
          for (let k = 0; k < repeats; k++) {
            const bent = (tilts[slot * repeats + k] as number) * (hat[(k * rows + row) * width + c] as number);
            addTo(slots, at, -bent, Math.abs(bent));
          }
        }
      }
  return slots;
}

function zeros(size: number): Reference {
  return { values: new Float64Array(size), magnitude: new Float64Array(size) };
}

function addTo({ values, magnitude }: Reference, at: number, term: number, size: number): void {
  values[at] = (values[at] as number) + term;
  magnitude[at] = (magnitude[at] as number) + size;
}

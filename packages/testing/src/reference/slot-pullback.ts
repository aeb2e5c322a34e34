// Float64 reference of the slot pull-back: LayerNorm's backward for heads that read one stream.
import type { Reference } from '../tolerance.js';

/** outers [n][repeats · rows, heads, C] → [n, heads, rows, C]: Σ over repeats of (γ outer − mean − x̂ mean(γ outer x̂)) / s. */
export function slotPullback(
  hat: Float64Array,
  scale: Float64Array,
  gamma: Float64Array,
  outers: readonly Float64Array[],
  {
    rows,
    heads,
    width,
    repeats = 1,
  }: { readonly rows: number; readonly heads: number; readonly width: number; readonly repeats?: number },
): Reference {
  const values = new Float64Array(outers.length * heads * rows * width);
  const magnitude = new Float64Array(values.length);
  for (const [part, outer] of outers.entries())
    for (let h = 0; h < heads; h++)
      for (let n = 0; n < repeats * rows; n++) {
        const x = hat.subarray(n * width, (n + 1) * width);
        const g = outer
          .subarray((n * heads + h) * width, (n * heads + h + 1) * width)
          .map((d, c) => d * (gamma[c] as number));
        const sum = (term: (c: number) => number): number => g.reduce((total, _, c) => total + term(c), 0) / width;
        const [mean, tilt] = [sum((c) => g[c] as number), sum((c) => (g[c] as number) * (x[c] as number))];
        const [size, tiltSize] = [
          sum((c) => Math.abs(g[c] as number)),
          sum((c) => Math.abs((g[c] as number) * (x[c] as number))),
        ];
        for (let c = 0; c < width; c++) {
          const at = ((part * heads + h) * rows + (n % rows)) * width + c;
          values[at] =
            (values[at] as number) + ((g[c] as number) - mean - (x[c] as number) * tilt) / (scale[n] as number);
          magnitude[at] =
            (magnitude[at] as number) +
            (Math.abs(g[c] as number) + size + Math.abs(x[c] as number) * tiltSize) / (scale[n] as number);
        }
      }
  return { values, magnitude };
}

// Float64 references of the attribution kernels: blocks of edge scores, slots of circuits, and changes of their nodes.
import type { Reference } from '../tolerance.js';

/** Sizes of one block of edge scores; see edge_scores_sum.wgsl for run and stride. */
export interface EdgeScoresCase {
  readonly sources: number;
  readonly slots: number;
  readonly examples: number;
  readonly inner: number;
  readonly rows: number;
  readonly columns: number;
  readonly row: number;
  readonly column: number;
  readonly run: number;
  readonly stride: number;
}

/** scores[b, row + u, column(v)] = Σ_k delta[u, b, k] · gradient[v, b, k]; elsewhere `before`. */
export function edgeScores(
  delta: ArrayLike<number>,
  gradient: ArrayLike<number>,
  before: ArrayLike<number>,
  { sources, slots, examples, inner, rows, columns, row, column, run, stride }: EdgeScoresCase,
): Reference {
  const values = Float64Array.from(before);
  const magnitude = values.map(Math.abs);
  for (let b = 0; b < examples; b++)
    for (let u = 0; u < sources; u++)
      for (let v = 0; v < slots; v++) {
        let total = 0;
        let size = 0;
        for (let k = 0; k < inner; k++) {
          const term =
            (delta[(u * examples + b) * inner + k] as number) * (gradient[(v * examples + b) * inner + k] as number);
          total += term;
          size += Math.abs(term);
        }
        const at = (b * rows + row + u) * columns + column + Math.floor(v / run) * stride + (v % run);
        values[at] = total;
        magnitude[at] = size;
      }
  return { values, magnitude };
}

/** slots[r, i] = base[i] + Σ_{node of edges[r]} changes[node, i], minus changes[~node, i] where `node` is negative. */
export function circuitSlots(
  base: ArrayLike<number>,
  changes: ArrayLike<number>,
  edges: readonly (readonly number[])[],
): Reference {
  const inner = base.length;
  const values = new Float64Array(edges.length * inner);
  const magnitude = new Float64Array(values.length);
  for (const [r, nodes] of edges.entries())
    for (let i = 0; i < inner; i++) {
      const terms = [base[i] as number, ...nodes.map((node) => signed(changes, node, inner, i))];
      values[r * inner + i] = terms.reduce((a, b) => a + b, 0);
      magnitude[r * inner + i] = terms.reduce((a, b) => a + Math.abs(b), 0);
    }
  return { values, magnitude };
}

function signed(changes: ArrayLike<number>, node: number, inner: number, i: number): number {
  return node < 0 ? -(changes[~node * inner + i] as number) : (changes[node * inner + i] as number);
}

/** changes[node + r, i] = output[r, i] − reference[which, i]; elsewhere `before`. */
export function circuitChanges(
  before: ArrayLike<number>,
  output: ArrayLike<number>,
  reference: ArrayLike<number>,
  { inner, node, which }: { readonly inner: number; readonly node: number; readonly which: number },
): Reference {
  const values = Float64Array.from(before);
  const magnitude = values.map(Math.abs);
  for (let n = 0; n < output.length; n++) {
    const subtracted = reference[which * inner + (n % inner)] as number;
    values[node * inner + n] = (output[n] as number) - subtracted;
    magnitude[node * inner + n] = Math.abs(output[n] as number) + Math.abs(subtracted);
  }
  return { values, magnitude };
}

// How alike weight diffs are: the mean over linear maps of the cosine between ΔW_i and ΔW_j, from factors alone, in float64.
import type { RunControls } from '@limn/hooks';
import { transposed } from '../lora/lora-adapter.js';
import type { PlacedFactors } from '../lora/lora-weights.js';
import { changeNorm } from '../mechanism/diff-norms.js';
import { WorkPace } from './work-pace.js';

/** Rows of all diffs' factors of one map, one below the other. */
interface MapRows {
  /** [rows, in] */
  readonly a: Float32Array;
  /** Bᵀ: [rows, out] */
  readonly b: Float32Array;
  readonly inWidth: number;
  readonly outWidth: number;
  /** Where the rows of diff i start, and behind the last one their number. */
  readonly starts: Int32Array;
  /** s / ‖ΔW‖ of every diff; 0 where it leaves the map as it is. */
  readonly factors: Float64Array;
}

/** Some diffs as the kernel reads them, by the names of their maps. */
export interface KernelDiffs {
  readonly count: number;
  readonly maps: ReadonlyMap<string, MapRows>;
}

/** Puts factors row by row; maps are those of any of the diffs. */
export function kernelDiffs(diffs: readonly (readonly PlacedFactors[])[]): KernelDiffs {
  const linears = new Map(diffs.flat().map(({ linear }) => [linear.name, linear]));
  const maps = Array.from(linears.values(), ({ name, inWidth, outWidth }): [string, MapRows] => {
    const own = diffs.map((placed) => placed.find(({ linear }) => linear.name === name));
    const starts = new Int32Array(diffs.length + 1);
    own.forEach((placed, i) => (starts[i + 1] = (starts[i] as number) + (placed?.factors.rank ?? 0)));
    const rows = starts[diffs.length] as number;
    const [a, b] = [new Float32Array(rows * inWidth), new Float32Array(rows * outWidth)];
    const factors = Float64Array.from(own, (placed, i) => {
      if (!placed) return 0;
      const { factors: pair, scale } = placed;
      a.set(pair.a, (starts[i] as number) * inWidth);
      b.set(transposed(pair.b, outWidth, pair.rank), (starts[i] as number) * outWidth);
      const norm = changeNorm(pair, scale);
      return norm === 0 ? 0 : scale / norm;
    });
    return [name, { a, b, inWidth, outWidth, starts, factors }];
  });
  return { count: diffs.length, maps: new Map(maps) };
}

/**
 * [left, right]: k(i, j) = Σ over the maps of `right` of ⟨ΔW_i, ΔW_j⟩ / (‖ΔW_i‖·‖ΔW_j‖) / their number, with ⟨ΔW_i, ΔW_j⟩ = s_i·s_j·tr((A_i·A_jᵀ)(B_jᵀ·B_i)), which does not depend on how changes are written as
 * factors. A map that one of two diffs leaves as it is counts 0. Cost: Σ over maps r_i·r_j·(in + out) multiplications a pair; where both are the same diffs each pair once.
 * @throws AbortedError
 */
export async function diffKernel(
  left: KernelDiffs,
  right: KernelDiffs,
  controls: Pick<RunControls, 'signal' | 'onProgress'> = {},
): Promise<Float64Array> {
  const [n, m] = [left.count, right.count];
  const kernel = new Float64Array(n * m);
  const pairs = Array.from(right.maps, ([name, theirs]) => ({ own: left.maps.get(name), theirs }));
  const same = left === right;
  const total = pairs.reduce((sum, { own, theirs }) => {
    const rows = (own?.starts[n] ?? 0) * (theirs.starts[m] as number);
    return sum + (rows * (theirs.inWidth + theirs.outWidth)) / (same ? 2 : 1);
  }, 0);
  const pace = new WorkPace('The kernel of weight diffs', total, controls);
  for (const { own, theirs } of pairs) {
    if (!own) continue;
    const { inWidth, outWidth, starts } = theirs;
    const rows = starts[m] as number;
    const [ofA, ofB] = [new Float64Array(rows), new Float64Array(rows)];
    for (let i = 0; i < n; i++) {
      const factor = (own.factors[i] as number) / pairs.length;
      const behind = same ? (starts[i + 1] as number) : rows;
      for (let row = own.starts[i] as number; row < (own.starts[i + 1] as number); row++) {
        rowProducts(own.a, row, theirs.a, behind, inWidth, ofA);
        rowProducts(own.b, row, theirs.b, behind, outWidth, ofB);
        for (let j = 0; (starts[j] as number) < behind; j++) {
          let sum = 0;
          for (let l = starts[j] as number; l < (starts[j + 1] as number); l++)
            sum += (ofA[l] as number) * (ofB[l] as number);
          kernel[i * m + j] = (kernel[i * m + j] as number) + factor * (theirs.factors[j] as number) * sum;
        }
        await pace.did(behind * (inWidth + outWidth));
      }
    }
  }
  if (same) for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) kernel[j * n + i] = kernel[i * n + j] as number;
  return kernel;
}

/** ⟨x[row], y[l]⟩ for the first `count` rows l of y, four at a time: sums in float64. */
function rowProducts(
  x: Float32Array,
  row: number,
  y: Float32Array,
  count: number,
  width: number,
  products: Float64Array,
): void {
  const from = row * width;
  let l = 0;
  for (; l + 4 <= count; l += 4) {
    let [p, q, r, s] = [0, 0, 0, 0];
    let at = l * width;
    for (let i = from; i < from + width; i++, at++) {
      const value = x[i] as number;
      p += value * (y[at] as number);
      q += value * (y[at + width] as number);
      r += value * (y[at + 2 * width] as number);
      s += value * (y[at + 3 * width] as number);
    }
    products[l] = p;
    products[l + 1] = q;
    products[l + 2] = r;
    products[l + 3] = s;
  }
  for (; l < count; l++) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (x[from + i] as number) * (y[l * width + i] as number);
    products[l] = sum;
  }
}

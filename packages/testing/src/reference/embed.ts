// Embedding in float64: out[n] = table[ids[n]], and its scatter d_table[v] = Σ_{ids[n] = v} d_out[n].
import type { Reference } from '../tolerance.js';

/** out [ids.length, width]. Exact, so the magnitude is zero. */
export function embedForward(ids: Uint32Array, table: Float64Array, width: number): Reference {
  const values = new Float64Array(ids.length * width);
  for (const [n, id] of ids.entries()) values.set(table.subarray(id * width, (id + 1) * width), n * width);
  return { values, magnitude: new Float64Array(values.length) };
}

/** d_table [rows, width]. */
export function embedVjp(ids: Uint32Array, rows: number, width: number, dOut: Float64Array): Reference {
  const values = new Float64Array(rows * width);
  const magnitude = new Float64Array(rows * width);
  for (const [n, id] of ids.entries()) {
    for (let j = 0; j < width; j++) {
      values[id * width + j]! += dOut[n * width + j]!;
      magnitude[id * width + j]! += Math.abs(dOut[n * width + j]!);
    }
  }
  return { values, magnitude };
}

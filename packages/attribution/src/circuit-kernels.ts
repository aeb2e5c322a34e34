// The two kernels of sparse circuit evaluation: what a slot reads, x_v = x'_v + Σ_{(u,v) ∈ C} (ẑ_u − z'_u), and the changes ẑ_u − z'_u; and changes with only some neurons kept.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Step } from '@limn/gpu';
import { allocate, detach, fromData, mul, perElement, type Tensor } from '@limn/tensor';

const slotsKernel = defineKernel(shaders.circuitSlots, {
  grid: (u, overrides) => perElement({ size: u.rows * u.inner }, overrides),
});
const changesKernel = defineKernel(shaders.circuitChanges, {
  grid: (u, overrides) => perElement({ size: u.rows * u.inner }, overrides),
  work: (u) => u.rows * u.inner,
});

/**
 * What one slot reads in several circuits: `base` [B, T, C] plus, for row r, the rows `edges[r]` of `changes`
 * [nodes, B, T, C] → [rows, B, T, C]; an entry ~n takes row n away. Outside the tape.
 */
export function circuitSlots(step: Step, base: Tensor, changes: Tensor, edges: readonly (readonly number[])[]): Tensor {
  const nodes = changes.shape[0] ?? 0;
  if (
    changes.size !== nodes * base.size ||
    edges.flat().some((node) => !Number.isInteger(node) || node < -nodes || node >= nodes)
  )
    throw new LimnError(
      'tensor/shape',
      `circuitSlots: edges do not fit ${nodes} changes of shape [${base.shape.join(', ')}].`,
      {
        details: { base: base.shape, changes: changes.shape },
      },
    );
  const start = new Uint32Array(edges.length + 1);
  for (const [row, sources] of edges.entries()) start[row + 1] = (start[row] ?? 0) + sources.length;
  const list = edges.flat();
  const source = Uint32Array.from(list.length === 0 ? [0] : list); // a buffer is never empty
  const slots = allocate(step, [edges.length, ...base.shape], 'circuit slots');
  step.dispatch(
    slotsKernel,
    {
      base: base.storage,
      changes: changes.storage,
      start: fromData(step, start, [start.length], { label: 'edge starts' }).storage,
      source: fromData(step, source, [source.length], { label: 'edge sources' }).storage,
      slots: slots.storage,
    },
    { rows: edges.length, inner: base.size },
  );
  return slots;
}

/**
 * changes[node + r] ← output[r] − reference[which], in place and outside the tape: `output` [rows, B, T, C] of one node in
 * several circuits, `reference` [≥ 1, B, T, C] the outputs it is compared with.
 */
export function circuitChanges(
  step: Step,
  changes: Tensor,
  node: number,
  output: Tensor,
  reference: { readonly tensor: Tensor; readonly which: number },
): void {
  const nodes = changes.shape[0] ?? 0;
  const inner = changes.size / nodes;
  const rows = output.size / inner;
  const references = reference.tensor.size / inner;
  if (!Number.isInteger(rows) || node + rows > nodes || !(reference.which < references))
    throw new LimnError(
      'tensor/shape',
      `circuitChanges: output [${output.shape.join(', ')}] does not fit rows ${node}… of changes [${changes.shape.join(', ')}].`,
      { details: { output: output.shape, changes: changes.shape, reference: reference.tensor.shape, node } },
    );
  step.dispatch(
    changesKernel,
    { output: output.storage, reference: reference.tensor.storage, changes: changes.storage },
    { rows, inner, which: reference.which, node },
  );
}

/**
 * changes[node + r] ← kept[r] ∘ change[r], outside the tape: `change` [rows, B, T, C] of one node in several circuits, `kept`
 * [rows × C] with 1 for the neurons that its edges carry.
 */
export function keptChanges(step: Step, changes: Tensor, node: number, change: Tensor, kept: Float32Array): void {
  const [rows = 0] = change.shape;
  const width = change.shape.at(-1) ?? 0;
  const mask = fromData(step, kept, [rows, 1, 1, width], { label: 'kept neurons' });
  const { storage } = mul(step, detach(change), mask);
  const toOffset = node * (changes.storage.byteLength / (changes.shape[0] ?? 1));
  step.copy(storage, changes.storage, { toOffset, byteLength: storage.byteLength });
}

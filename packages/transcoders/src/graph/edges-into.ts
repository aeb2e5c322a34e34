// Edges into many targets at one prompt: those that start at one place of the stream share steps, as many at once as fit the budget.
import { inBatches, settleControls, type RunControls } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { fromData, mul, readFloats, reshape, type Tensor } from '@limn/tensor';
import { addReading, carryBack, type Reading } from './adjoint.js';
import type { FrozenPrompt } from './frozen-prompt.js';
import type { GraphSources } from './graph-sources.js';
import { checkTarget, placeOf, recordSeeds, type GraphTarget, type Seeds } from './graph-target.js';
import type { StreamPlace } from './stream-place.js';

/** Edges into targets, in the order of the targets. */
export interface IncomingEdges {
  /** [targets, sources]. */
  readonly weights: Float32Array;
  /** The targets' values, as the model computes them. */
  readonly values: Float32Array;
}

/**
 * What every source brings to every target, in the model with attention patterns and the scales of normalisations held.
 * @throws LimnError `usage/graph-target`, `usage/batch-size`, `usage/memory`, `memory/over-budget`, `gpu/…`; AbortedError
 */
export async function edgesInto(
  prompt: FrozenPrompt,
  sources: GraphSources,
  targets: readonly GraphTarget[],
  options: RunControls = {},
): Promise<IncomingEdges> {
  const controls = settleControls(options);
  for (const target of targets) checkTarget(target, prompt);
  const width = sources.nodes.length;
  const weights = new Float32Array(targets.length * width);
  const values = new Float32Array(targets.length);
  let finished = 0;
  for (const group of byPlace(prompt, targets)) {
    await inBatches(
      prompt.model.gpu,
      group,
      {
        what: 'Edges of an attribution graph',
        unit: 'target',
        label: 'attribution graph: edges',
        lengthOf: (i) => (targets[i] as GraphTarget).position + 1,
        record: (step, batch) =>
          recordEdges(
            step,
            prompt,
            sources,
            batch.map((i) => targets[i] as GraphTarget),
          ),
        async take(step, { seeds, readings }, places) {
          const [found, own, ...products] = await Promise.all([
            readFloats(step, seeds.values),
            Promise.all(seeds.own.map((each) => readFloats(step, each.values))),
            ...readings.map((reading) => readFloats(step, reading.products)),
          ]);
          const target = (b: number): number => group[places[b] as number] as number;
          const row = (b: number): Float32Array => weights.subarray(target(b) * width, (target(b) + 1) * width);
          for (const [i, reading] of readings.entries()) addReading(reading, products[i] as Float32Array, row);
          for (const [b, value] of found.entries()) {
            values[target(b)] = value;
            for (const [i, { bias, layer }] of seeds.own.entries())
              row(b)[sources.biasColumn(bias, layer)] = own[i]?.[b] as number;
          }
        },
      },
      {
        ...controls,
        signal: options.signal,
        onProgress: ({ done }) =>
          options.onProgress?.({ unit: 'targets', done: finished + done, total: targets.length }),
      },
    );
    finished += group.length;
  }
  return { weights, values };
}

function recordEdges(
  step: Step,
  prompt: FrozenPrompt,
  sources: GraphSources,
  targets: readonly GraphTarget[],
): { readonly seeds: Seeds; readonly readings: readonly Reading[] } {
  const seeds = recordSeeds(step, prompt, targets);
  const placed = placeSeeds(
    step,
    seeds.vectors,
    targets.map(({ position }) => position),
  );
  return { seeds, readings: carryBack(step, prompt, sources, seeds.from, placed) };
}

/** Vectors [B, C] put at a position each, zero elsewhere: [T', B, C] with T' no further than the last of them, as nothing later matters. */
export function placeSeeds(step: Step, vectors: Tensor, positions: readonly number[]): Tensor {
  const [B = 0, C = 0] = vectors.shape;
  const T = Math.max(...positions) + 1;
  const mask = new Float32Array(T * B);
  for (const [b, position] of positions.entries()) mask[position * B + b] = 1;
  return mul(step, fromData(step, mask, [T, B, 1], { label: 'positions' }), reshape(vectors, [1, B, C]));
}

/** Places among the targets, those together that start at one place and are of one kind; the last places first. */
function byPlace(prompt: FrozenPrompt, targets: readonly GraphTarget[]): number[][] {
  const groups = new Map<string, { readonly from: StreamPlace; readonly list: number[] }>();
  for (const [i, target] of targets.entries()) {
    const from = placeOf(target, prompt);
    const key = `${target.kind} ${from.layer} ${from.at} ${target.kind === 'slot' ? `${target.slot} ${target.head}` : ''}`;
    const group = groups.get(key) ?? { from, list: [] };
    group.list.push(i);
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => b.from.layer - a.from.layer).map(({ list }) => list);
}

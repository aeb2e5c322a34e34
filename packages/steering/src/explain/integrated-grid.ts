// Integrated gradients along α: every scalar goes from −1, where its activation is zero, to 0 together with all others.
import { LimnError } from '@limn/gpu';
import { inBatches, settleControls, tokenBatch, type HookedModel, type HookName, type RunControls } from '@limn/hooks';
import { gradients, readFloats } from '@limn/tensor';
import { checkExamples, type SteeringExample } from '../examples.js';
import { Steering, type SteeringSpec, type SteeringValues } from '../steering.js';
import { answerDifference } from './answer-difference.js';
import type { CellGrid } from './cell-grid.js';
import { selectCells, type CellSelection } from './grid-spec.js';

/** What `integratedGrid` takes. */
export interface IntegratedGridOptions extends RunControls {
  /** Points of the midpoint rule. Default 10. */
  readonly points?: number | undefined;
}

/**
 * ∫_{−1}^{0} ⟨h, ∂Δ/∂h̃⟩ dα per cell, h̃ = (1 + α) h with one α for all cells of the selection: integrated gradients with a zero
 * baseline, mean over examples, in logits. The sum over all cells is Δ minus Δ with all of them ablated, as the number of points grows
 * (the midpoint rule's error falls with its square). One backward pass gives all cells of a point; points are rows of a batch.
 * @throws LimnError `usage/steering-site`, `usage/steering-layer`, `usage/steering-option`, `data/steering-…`, `memory/over-budget`,
 * `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function integratedGrid(
  model: HookedModel,
  examples: readonly SteeringExample[],
  selection: CellSelection,
  { points = 10, ...controls }: IntegratedGridOptions = {},
): Promise<CellGrid> {
  checkExamples(examples, model.info);
  if (!Number.isInteger(points) || points < 1)
    throw new LimnError(
      'usage/steering-option',
      `Integration takes a whole number of points from 1; given ${points}.`,
      {
        details: { points },
        hint: 'Ten points are enough for a ranking.',
      },
    );
  const cells = selectCells(model.info, selection, examples);
  const spec: SteeringSpec = { method: { kind: 'activ-scalar' }, ...selection };
  const P = selection.positions.names.length;
  const sets = Array.from({ length: points }, (_, j): SteeringValues => {
    const alpha = (j + 0.5) / points - 1;
    const places = new Map(
      cells.places.map(({ at, units }) => [at, new Map([['alpha', new Float32Array(P * units).fill(alpha)]] as const)]),
    );
    return { spec, fingerprint: model.info.fingerprint, places };
  });
  const steering = new Steering(model, spec, { values: sets });
  const sums = new Map<HookName, Float64Array>(
    cells.places.map(({ at, units }) => [at, new Float64Array(P * units)] as const),
  );
  try {
    const items = sets.flatMap((_, set) => examples.map((example) => ({ set, example })));
    const targets = steering.parameters;
    await inBatches(
      model.gpu,
      items,
      {
        what: 'Integrating gradients',
        unit: 'row',
        label: 'gradients along α',
        lengthOf: ({ example }) => example.prompt.length,
        record: (step, batch) => {
          const rows = batch.map(({ example }) => example);
          const { logits } = model.run(
            step,
            {
              tokens: tokenBatch(
                rows.map(({ prompt }) => prompt),
                model.info,
              ),
            },
            {
              interventions: steering.interventions({
                roles: rows.map(({ roles }) => roles),
                candidates: batch.map(({ set }) => set),
              }),
              logits: 'last',
            },
          );
          const delta = answerDifference(step, logits, rows);
          return gradients(
            step,
            delta,
            'ones',
            targets.map(({ tensor }) => tensor),
            { missing: 'zeros' },
          );
        },
        take: async (step, slopes) => {
          const tables = await Promise.all(slopes.map((slope) => readFloats(step, slope)));
          tables.forEach((table, i) => {
            const own = sums.get(targets[i]?.at as HookName) as Float64Array;
            table.forEach((value, j) => {
              const cell = j % own.length;
              own[cell] = (own[cell] as number) + value / (points * examples.length);
            });
          });
        },
      },
      { ...controls, ...settleControls(controls) },
    );
  } finally {
    steering.dispose();
  }
  return cells.grid(
    'integrated gradients',
    (place, slot) => sums.get(place.at)?.subarray(slot * place.units, (slot + 1) * place.units) ?? null,
  );
}

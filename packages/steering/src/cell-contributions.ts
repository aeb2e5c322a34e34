// What each cell of a steering does: Δ_{+1} − Δ_{−1} without it, and how few cells hold most of the shift.
import type { HookedModel, RunControls } from '@limn/hooks';
import { evaluateSteering } from './evaluate.js';
import type { SteeringExample } from './examples.js';
import { cellsOf, type SteeringCell } from './minimality.js';
import type { ParameterForm } from './method.js';
import { Steering, type SteeringValues } from './steering.js';
import { summarise } from './summary.js';

/** A cell with what it does. */
export interface CellContribution {
  readonly cell: SteeringCell;
  /** Mean Δ_{+1} − Δ_{−1} of all cells, less that without this one, in logits. */
  readonly contribution: number;
}

/** The contributions, and how few cells do most. */
export interface CellContributions {
  /** Mean Δ_{+1} − Δ_{−1} with all cells. */
  readonly shift: number;
  /** Of every cell that is not 0, the largest first. */
  readonly cells: readonly CellContribution[];
  /** Shift with only the first n of them, n = 1 …. */
  readonly curve: readonly number[];
  /** Fewest of the first cells that hold 90 % of the shift. */
  readonly cellsFor90: number;
}

/**
 * Takes every cell that is not 0 away once, orders cells by what that costs, and puts them back one by one. Each variant is a set of values
 * of its own, all in the same batches.
 * @throws LimnError as `evaluateSteering`; AbortedError
 */
export async function cellContributions(
  model: HookedModel,
  values: SteeringValues,
  examples: readonly SteeringExample[],
  controls: RunControls = {},
): Promise<CellContributions> {
  const all = cellsOf(model.info, values).filter(({ value }) => value !== 0);
  const shiftsOf = (variants: readonly SteeringValues[]): Promise<number[]> =>
    shifts(model, variants, examples, controls);
  const [shift = 0, ...without] = await shiftsOf([
    values,
    ...all.map((cell) =>
      keepCells(
        values,
        all.filter((other) => other !== cell),
      ),
    ),
  ]);
  const cells = all
    .map((cell, i) => ({ cell, contribution: shift - (without[i] as number) }))
    .sort((a, b) => b.contribution - a.contribution);
  const curve = await shiftsOf(
    cells.map((_, n) =>
      keepCells(
        values,
        cells.slice(0, n + 1).map(({ cell }) => cell),
      ),
    ),
  );
  const enough = curve.findIndex((value) => value >= 0.9 * shift);
  return { shift, cells, curve, cellsFor90: enough < 0 ? cells.length : enough + 1 };
}

/** The values with every cell that is not named set to 0. */
export function keepCells(values: SteeringValues, kept: readonly SteeringCell[]): SteeringValues {
  const P = values.spec.positions.names.length;
  const wide = values.spec.method.kind !== 'activ-scalar' && values.spec.method.kind !== 'gated-scalar';
  const places = new Map(
    [...values.places].map(([at, own]) => {
      const tensors = new Map<ParameterForm['name'], Float32Array>(own);
      for (const name of ['alpha', 'vector'] as const) {
        const data = own.get(name);
        if (!data) continue;
        const width = data.length / P;
        const left = new Float32Array(data.length);
        for (const { place, slot, unit } of kept) {
          if (place.at !== at) continue;
          const [from, to] = wide ? [slot * width, (slot + 1) * width] : [slot * width + unit, slot * width + unit + 1];
          left.set(data.subarray(from, to), from);
        }
        tensors.set(name, left);
      }
      return [at, tensors] as const;
    }),
  );
  return { ...values, places };
}

/** Sets of values whose tensors may lie side by side in one Steering. */
const AT_ONCE = 64;

/** Mean Δ_{+1} − Δ_{−1} of each variant: every example under every variant, some variants at a time. */
async function shifts(
  model: HookedModel,
  variants: readonly SteeringValues[],
  examples: readonly SteeringExample[],
  controls: RunControls,
): Promise<number[]> {
  const found: number[] = [];
  for (let first = 0; first < variants.length; first += AT_ONCE) {
    const some = variants.slice(first, first + AT_ONCE);
    const [sample] = some as [SteeringValues];
    using steering = new Steering(model, sample.spec, { values: some });
    const tagged = some.flatMap((_, candidate) => examples.map((example) => ({ ...example, candidate })));
    const measured = await evaluateSteering(
      model,
      {
        name: 'sets of cells',
        parameters: 0,
        nonZero: 0,
        interventions: (rows) =>
          steering.interventions({
            strength: rows.map(({ strength }) => strength),
            roles: rows.map(({ example }) => example.roles),
            candidates: rows.map(({ example }) => (example as (typeof tagged)[number]).candidate),
          }),
      },
      tagged,
      controls,
    );
    some.forEach((_, i) => found.push(summarise(measured.slice(i * examples.length, (i + 1) * examples.length)).shift));
  }
  return found;
}

// The cells of a steering as its page draws them: what was learnt there, or, where activations decide, what they decided on the prompts that are shown.
import type { HookedModel } from '@limn/hooks';
import type { SteeringRecord } from '@limn/report';
import {
  cellGrid,
  normAndDirection,
  positionTable,
  type CellGrid,
  type PositionTable,
  type Steerer,
  type SteeringExample,
  type SteeringValues,
} from '@limn/steering';

/** The grid, whose columns are the positions. */
export interface ShownCells {
  readonly grid: CellGrid;
  readonly positions: PositionTable;
  /** The change of norm and direction at strength 1, where it is not the values themselves. */
  readonly edits?: NonNullable<SteeringRecord['edits']>;
}

/** What is drawn, and on which prompts. */
export interface ShownCellsRequest {
  readonly model: HookedModel;
  readonly values: SteeringValues;
  readonly steerer: Pick<Steerer, 'name' | 'interventions'>;
  readonly shown: readonly SteeringExample[];
  /** Whose last tokens say which cells of the last layer can have an effect. */
  readonly examples: readonly SteeringExample[];
  readonly signal: AbortSignal;
}

/** @throws LimnError as `cellGrid` and `normAndDirection`; AbortedError */
export async function shownCells(request: ShownCellsRequest): Promise<ShownCells> {
  const { model, values, steerer, shown, examples, signal } = request;
  const { method, positions: own } = values.spec;
  if (method.kind === 'activ-scalar') return { grid: cellGrid(model.info, values, { examples }), positions: own };
  // What activations decide has no positions of its own: it is shown where it was decided, counted from the end of the prompts.
  const decided = method.kind === 'dyn-scalar';
  const positions = decided ? fromEnd(shown, own.skip) : own;
  const { norm, direction, strength } = await normAndDirection(model, shown, steerer, { positions, signal });
  return {
    grid: decided ? { ...norm, measure: 'mean α of the prompts shown' } : cellGrid(model.info, values, { examples }),
    positions,
    edits: { strength, norm: [...norm.values], direction: [...direction.values] },
  };
}

function fromEnd(examples: readonly SteeringExample[], skip: number): PositionTable {
  return positionTable(
    examples.map(({ prompt }) => ({ length: prompt.length })),
    'from-end',
    { skip },
  );
}

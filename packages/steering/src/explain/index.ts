// Explaining learnt steering: what it says, beside other measures of the same cells, and whether it is so.
export {
  additiveHierarchy,
  type AdditiveHierarchy,
  type HierarchyOptions,
  type SiteTerm,
} from './additive-hierarchy.js';
export { attentionShift, type AttentionShift, type AttentionShiftOptions } from './attention-shift.js';
export {
  splitAttentionCell,
  type AttentionCellSplit,
  type AttentionSplitOptions,
  type HeadPart,
} from './attention-split.js';
export {
  causalVerdict,
  type CausalVerdict,
  type CausalVerdictOptions,
  type MeasuredEffect,
  type PlaceboFigures,
  type Refit,
} from './causal-verdict.js';
export { type ControlDraws, type CurvePoint } from './causal-controls.js';
export { type Interval } from '@limn/hooks';
export {
  cellGrid,
  givenGrid,
  gridOfCells,
  overPositions,
  type CellGrid,
  type CellGridOptions,
  type GridAxes,
  type UnitReduction,
} from './cell-grid.js';
export { offTaskFigures, type ControlPrompt, type OffTaskFigures } from './off-task.js';
export { offTaskPerplexity, type PerplexityAtStrength, type PerplexityFigures } from './perplexity.js';
export { selectionStability, type SelectionStability } from './selection-stability.js';
export { compareGrids, type GridAgreement } from './compare-grids.js';
export { exampleInfluence, type ExampleInfluence, type ExampleInfluenceOptions } from './example-influence.js';
export { type CellSelection } from './grid-spec.js';
export { integratedGrid, type IntegratedGridOptions } from './integrated-grid.js';
export {
  cellInteractions,
  type CellInteractions,
  type CellInteractionsOptions,
  type CellPair,
} from './interactions.js';
export { type CellName } from './live-cells.js';
export { normAndDirection, type NormAndDirection, type NormAndDirectionOptions } from './norm-direction.js';
export { patchingGrid, zeroAblationGrid, type PatchingGridOptions } from './patch-cells.js';

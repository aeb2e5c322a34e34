// Other measures of the cells of a steering, each with how far it agrees with what was learnt: gradients, ablation, and where more is asked for patching, integrated gradients and EAP-IG.
import type { HookedModel, RunProgress } from '@limn/hooks';
import type { SteeringRecord } from '@limn/report';
import {
  cellGradients,
  compareGrids,
  givenGrid,
  gridOfCells,
  integratedGrid,
  patchingGrid,
  zeroAblationGrid,
  type CellGrid,
  type CellSelection,
} from '@limn/steering';
import { eapGrid, fitsEdges, hasNodes, pairsOf } from './eap-grid.js';
import { gridPlace } from './grid-place.js';
import type { SourceExample } from './steering-source.js';

/** Cells whose overlap is compared. */
const TOP = 10;

/** What is compared, and how much of it. */
export interface ComparisonRequest {
  readonly model: HookedModel;
  readonly examples: readonly SourceExample[];
  readonly selection: CellSelection;
  /** What was learnt. */
  readonly learnt: CellGrid;
  /** Also what takes runs along a path, or corrupted prompts. */
  readonly all: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: RunProgress & { readonly phase: string }) => void;
  readonly onNote: (line: string) => void;
}

/** The measures as a record has them. @throws LimnError as the measures of `@limn/steering` and `eapIgInputs`; AbortedError */
export async function comparedGrids(request: ComparisonRequest): Promise<NonNullable<SteeringRecord['comparisons']>> {
  const { model, examples, selection, learnt, all, onNote } = request;
  const { positions } = selection;
  const last = model.info.layers - 1;
  if (learnt.sites.every((site) => site === 'hook_resid_post') && learnt.layers.every((layer) => layer === last)) {
    onNote('what scales the end of the last layer is undone behind it: no other measure has that cell');
    return [];
  }
  const of = (phase: string) => ({
    signal: request.signal,
    onProgress: (progress: RunProgress) => request.onProgress({ phase, ...progress }),
  });
  const { cells } = await cellGradients(model, examples, selection, of('gradient × activation'));
  const grids = [
    gridOfCells('gradient × activation', cells, positions),
    await zeroAblationGrid(model, examples, selection, of('zero ablation')),
  ];
  if (all) {
    const found = pairsOf(examples);
    if (found.length > 0)
      grids.push(
        await patchingGrid(
          model,
          found.map(({ example }) => example),
          selection,
          { corrupted: found.map(({ pair }) => pair.corrupted), ...of('activation patching') },
        ),
      );
    grids.push(await integratedGrid(model, examples, selection, of('integrated gradients')));
    const why = eapLeftOut(request);
    if (why === undefined) grids.push(await eapGrid(model, examples, learnt, positions, of('EAP-IG')));
    else onNote(why);
  }
  return grids.map((grid) => compared(learnt, onTheCellsOf(learnt, grid)));
}

/** Why EAP-IG is left out, where it is. */
function eapLeftOut({ model, examples, learnt }: ComparisonRequest): string | undefined {
  const found = pairsOf(examples).map(({ example }) => example);
  if (found.length === 0) return 'no corrupted prompts: activation patching and EAP-IG are left out';
  if (!hasNodes(learnt)) return `EAP-IG scores no node at ${learnt.sites.join(', ')}: it is left out`;
  return fitsEdges(model, found)
    ? undefined
    : 'EAP-IG by position has too many numbers for a model of this size: it is left out';
}

/** A measure that scales whole vectors has no cell at the end of the last layer, where a vector may have been learnt. */
function onTheCellsOf(like: CellGrid, grid: CellGrid): CellGrid {
  return givenGrid(like, grid.measure, (cell) => grid.values[gridPlace(grid, cell) ?? -1] ?? null);
}

function compared(learnt: CellGrid, grid: CellGrid): NonNullable<SteeringRecord['comparisons']>[number] {
  const { spearman, topJaccard, cells, spearmanOfSizes, signAgreement } = compareGrids(learnt, grid, { k: TOP });
  return {
    measure: grid.measure,
    values: [...grid.values],
    agreement: { spearman, topJaccard, cells, spearmanOfSizes, signAgreement },
  };
}

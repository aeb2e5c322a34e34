// What explains learnt values besides other measures of their cells: which work together, in how few terms they can be said, where heads look under them, what the strongest attention cell is made of, which prompts asked for them.
import type { HookedModel, RunProgress } from '@limn/hooks';
import type { SteeringRecord } from '@limn/report';
import {
  additiveHierarchy,
  attentionShift,
  cellInteractions,
  exampleInfluence,
  splitAttentionCell,
  type AttentionShift,
  type CellGrid,
  type ExampleInfluence,
  type Objective,
  type PositionTable,
  type Steerer,
  type SteeringExample,
  type SteeringValues,
} from '@limn/steering';
import { cellAt, gridPlace } from './grid-place.js';

/** Cells whose pairs are run, and prompts that they are run on: 1 + 24 + 276 combinations. */
const [TOGETHER, TOGETHER_ON] = [24, 8];
/** Layers whose attention is shown. */
const LAYERS = 4;
/** Training prompts that are asked, and how many of either end are told. */
const [ASKED, TOLD] = [256, 4];
const STRENGTH = 1;

/** What is explained, on which prompts. */
export interface ExplainedRequest {
  readonly model: HookedModel;
  readonly values: SteeringValues;
  readonly steerer: Pick<Steerer, 'name' | 'interventions'>;
  readonly objective: Objective;
  /** The cells as they are shown, with their positions. */
  readonly grid: CellGrid;
  readonly positions: PositionTable;
  /** Prompts of the page, and prompts that cells are measured on. */
  readonly shown: readonly SteeringExample[];
  readonly measured: readonly SteeringExample[];
  /** What was learnt from; of a single prompt nothing is said about its influence. */
  readonly training: readonly SteeringExample[];
  readonly show: (id: number) => string;
  /** The text of a prompt. */
  readonly textOf: (ids: readonly number[]) => string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: RunProgress & { readonly phase: string }) => void;
  readonly onNote: (line: string) => void;
}

/** The fields of a record. */
export type ExplainedFields = Pick<SteeringRecord, 'interactions' | 'hierarchy' | 'attention' | 'splits' | 'influence'>;

/** @throws LimnError as the measures of `@limn/steering`; AbortedError */
export async function explainValues(request: ExplainedRequest): Promise<ExplainedFields> {
  const { grid, values, training, onNote } = request;
  const { kind } = values.spec.method;
  const influence = training.length > 1 ? { influence: await influenceOf(request) } : {};
  const attention = await attentionOf(request);
  if (grid.values.every((value) => value === null || value === 0)) {
    onNote('every value is 0: there are no cells to explain');
    return { ...attention, ...influence };
  }
  if (kind === 'dyn-scalar')
    onNote(`the scalars of ${kind} are decided by activations and belong to no cell: interactions are left out`);
  return {
    ...(kind === 'dyn-scalar' ? {} : { interactions: await interactionsOf(request) }),
    hierarchy: hierarchyOf(grid),
    ...attention,
    ...(await splitsOf(request)),
    ...influence,
  };
}

const controlsOf = ({ signal, onProgress }: ExplainedRequest, phase: string) => ({
  signal,
  onProgress: (progress: RunProgress) => onProgress({ phase, ...progress }),
});

async function interactionsOf(request: ExplainedRequest): Promise<NonNullable<SteeringRecord['interactions']>> {
  const { model, values, measured, grid } = request;
  const found = await cellInteractions(model, measured.slice(0, TOGETHER_ON), values, {
    most: TOGETHER,
    strength: STRENGTH,
    ...controlsOf(request, 'interactions'),
  });
  const several = new Set(['attn.hook_z', 'mlp.hook_post']);
  const perUnit = values.spec.method.kind === 'activ-scalar';
  return {
    strength: found.strength,
    examples: found.examples,
    cells: found.cells.map((cell) => ({
      cell: gridPlace(grid, cell) as number,
      ...(perUnit && several.has(cell.site) ? { unit: cell.unit } : {}),
    })),
    single: [...found.single],
    pairs: found.pairs.map(({ i, j, value, error }) => ({ i, j, value, error })),
  };
}

function hierarchyOf(grid: CellGrid): NonNullable<SteeringRecord['hierarchy']> {
  const { penalty, explained, explainedAbove, sites, layers, roles, cells, summary } = additiveHierarchy(grid);
  return {
    penalty,
    explained,
    explainedAbove,
    terms: [
      ...sites.map(({ site, value }) => ({ level: 'site' as const, site, value })),
      ...layers.map(({ site, layer, value }) => ({ level: 'layer' as const, site, layer, value })),
      ...roles.map(({ site, role, value }) => ({ level: 'role' as const, site, position: role, value })),
      ...cells.map(({ site, layer, position, value }) => ({ level: 'cell' as const, site, layer, position, value })),
    ],
    summary: [...summary],
  };
}

/** The layers whose heads move most, of the last token. */
async function attentionOf(request: ExplainedRequest): Promise<Pick<SteeringRecord, 'attention'>> {
  const { model, steerer, shown, onNote } = request;
  const shifts = await attentionShift(model, shown, steerer, {
    layers: Array.from({ length: model.info.layers }, (_, layer) => layer),
    strength: STRENGTH,
    ...controlsOf(request, 'attention'),
  });
  const most = new Map<number, number>();
  for (const { layer, movedAtLast } of shifts) most.set(layer, Math.max(most.get(layer) ?? 0, ...movedAtLast));
  const layers = [...most.entries()]
    .filter(([, moved]) => moved > 0)
    .sort(([, a], [, b]) => b - a)
    .slice(0, LAYERS)
    .map(([layer]) => layer);
  if (layers.length === 0) {
    onNote('no head looks elsewhere under this steering: attention is left out');
    return {};
  }
  return { attention: shifts.filter(({ layer }) => layers.includes(layer)).map(lastQuery) };
}

function lastQuery(shift: AttentionShift): NonNullable<SteeringRecord['attention']>[number] {
  const { example, layer, tokens: n, before, change, movedAtLast } = shift;
  const ofLast = (values: readonly number[], head: number): number[] =>
    values.slice((head * n + n - 1) * n, (head + 1) * n * n);
  return {
    prompt: example,
    layer,
    strength: STRENGTH,
    heads: movedAtLast.map((moved, head) => ({
      head,
      moved,
      before: ofLast(before, head),
      change: ofLast(change, head),
    })),
  };
}

/** The strongest cell of what attention writes, split in the untouched run of every prompt that is shown. */
async function splitsOf(request: ExplainedRequest): Promise<Pick<SteeringRecord, 'splits'>> {
  const { model, grid, positions, shown, onNote } = request;
  const [place] = [...grid.values.keys()]
    .filter((i) => {
      const { site } = cellAt(grid, i);
      return (
        (site === 'hook_attn_out' || site === 'attn.hook_z') && grid.live[i] === true && (grid.values[i] ?? 0) !== 0
      );
    })
    .sort((a, b) => Math.abs(grid.values[b] as number) - Math.abs(grid.values[a] as number));
  if (place === undefined) {
    onNote('no value of what attention writes is other than 0: the split of an attention cell is left out');
    return {};
  }
  const { layer, position } = cellAt(grid, place);
  const found = await splitAttentionCell(model, shown, {
    layer,
    position,
    positions,
    ...controlsOf(request, 'split of an attention cell'),
  });
  // Where several tokens of a prompt share the cell, the one that gives most.
  const byPrompt = new Map<number, (typeof found)[number]>();
  for (const split of found) {
    const other = byPrompt.get(split.example);
    if (!other || Math.abs(split.total) > Math.abs(other.total)) byPrompt.set(split.example, split);
  }
  return {
    splits: [...byPrompt.values()].map(({ example, total, bias, heads }) => ({
      prompt: example,
      cell: place,
      total,
      bias,
      heads: heads.map(({ head, value, sources }) => ({ head, value, sources: [...sources] })),
    })),
  };
}

async function influenceOf(request: ExplainedRequest): Promise<NonNullable<SteeringRecord['influence']>> {
  const { model, values, objective, training, show, textOf } = request;
  const asked = training.slice(0, ASKED);
  const found = await exampleInfluence(model, asked, values, { objective, ...controlsOf(request, 'influence') });
  const told = ({ example, alignment, norm }: ExampleInfluence) => {
    const { prompt, correct, wrong } = asked[example] as SteeringExample;
    return {
      text: textOf(prompt.slice(values.spec.positions.skip)),
      correct: show(correct),
      wrong: show(wrong),
      alignment,
      norm,
    };
  };
  const ordered = [...found].sort((a, b) => (b.alignment ?? 0) - (a.alignment ?? 0));
  const ends = Math.min(TOLD, Math.floor(found.length / 2));
  return {
    examples: found.length,
    most: ordered.slice(0, ends).map(told),
    least: ordered
      .slice(found.length - ends)
      .reverse()
      .map(told),
  };
}

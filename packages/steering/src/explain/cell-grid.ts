// The site × layer × position grid on which learnt values are shown beside patching, gradients and any other score of the same cells.
import type { SteeringExample } from '../examples.js';
import type { SteeringCell } from '../minimality.js';
import type { PositionTable } from '../positions.js';
import { STEERABLE_SITES, type SteerableSite, type SteeredModel, type SteeredPlace } from '../sites.js';
import type { SteeringValues } from '../steering.js';
import { expectCells } from './live-cells.js';

/** What a grid counts along its axes. */
export interface GridAxes {
  readonly sites: readonly SteerableSite[];
  readonly layers: readonly number[];
  /** Names of the position table: '3', '-1', a role, or 'all'. */
  readonly positions: readonly string[];
}

/** One number per cell. Plain data: it survives JSON. */
export interface CellGrid extends GridAxes {
  /** What the numbers are: 'alpha', 'zero ablation', … */
  readonly measure: string;
  /** [sites, layers, positions], row-major; null where there is no such cell, or no number. */
  readonly values: readonly (number | null)[];
  /** Shaped as `values`: false for a cell that cannot have an effect on the logits at the last position, whatever is done to it. */
  readonly live: readonly boolean[];
  /** At `attn.hook_z`, one number per head behind each of `values`; null at other sites. */
  readonly heads?: readonly (readonly number[] | null)[];
}

/** How the numbers of several units (heads, neurons) become one of their cell: their sum, or the one of largest size. */
export type UnitReduction = 'sum' | 'largest';

/** The axes of some places, sites in the order of a block. */
export function axesOf(places: readonly SteeredPlace[], positions: PositionTable): GridAxes {
  return {
    sites: STEERABLE_SITES.filter((each) => places.some(({ site }) => site === each)),
    layers: [...new Set(places.map(({ layer }) => layer))].sort((a, b) => a - b),
    positions: positions.names,
  };
}

/** Where a cell stands in `values`. */
export function gridIndex(
  { sites, layers, positions }: GridAxes,
  { site, layer }: Pick<SteeredPlace, 'site' | 'layer'>,
  slot: number,
): number {
  return (sites.indexOf(site) * layers.length + layers.indexOf(layer)) * positions.length + slot;
}

/** Fills a grid over some places; `valuesOf` gives one number per unit of a cell (or one), null for none. Dead cells keep theirs. */
export function fillGrid(
  measure: string,
  places: readonly SteeredPlace[],
  positions: PositionTable,
  {
    valuesOf,
    live,
    reduce = 'sum',
  }: {
    readonly valuesOf: (place: SteeredPlace, slot: number) => ArrayLike<number> | number | null;
    readonly live: (place: SteeredPlace) => readonly boolean[];
    readonly reduce?: UnitReduction;
  },
): CellGrid {
  const axes = axesOf(places, positions);
  const size = axes.sites.length * axes.layers.length * axes.positions.length;
  const values = Array.from({ length: size }, (): number | null => null);
  const alive = Array.from({ length: size }, () => false);
  const heads = Array.from({ length: size }, (): readonly number[] | null => null);
  for (const place of places) {
    const slots = live(place);
    for (let slot = 0; slot < axes.positions.length; slot++) {
      const at = gridIndex(axes, place, slot);
      alive[at] = slots[slot] === true;
      const found = valuesOf(place, slot);
      if (found === null) continue;
      const list = typeof found === 'number' ? [found] : Array.from(found);
      values[at] = reduced(list, reduce);
      if (place.site === 'attn.hook_z' && list.length === place.units) heads[at] = list;
    }
  }
  const perHead = heads.some((each) => each !== null);
  return { ...axes, measure, values, live: alive, ...(perHead ? { heads } : {}) };
}

function reduced(list: readonly number[], reduce: UnitReduction): number {
  return reduce === 'sum'
    ? list.reduce((sum, value) => sum + value, 0)
    : list.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
}

/** How to draw values as a grid. */
export interface CellGridOptions {
  /** Of several units: default 'sum'. */
  readonly reduce?: UnitReduction;
  /** Whose last tokens say which cells of the last layer are live; needed for positions by role and from the start. */
  readonly examples?: readonly SteeringExample[];
}

/**
 * Learnt values as a grid: α of ActivScalar (per head summed, or the largest), ‖v‖₂ of vectors and of scales per dimension.
 * @throws LimnError `usage/steering-method` for values that belong to no cell, as those of 'dyn-scalar' do; `usage/steering-site`,
 * `usage/steering-layer`, `data/steering-length`, `data/steering-roles`
 */
export function cellGrid(
  info: SteeredModel,
  values: SteeringValues,
  { reduce = 'sum', examples = [] }: CellGridOptions = {},
): CellGrid {
  const { spec } = values;
  const cells = expectCells(info, values, examples);
  const scalars = spec.method.kind === 'activ-scalar' || spec.method.kind === 'gated-scalar';
  return gridOfCells(scalars ? 'alpha' : 'norm', cells, spec.positions, { reduce });
}

/** Numbers of cells as a grid, those of several units of a place together. */
export function gridOfCells(
  measure: string,
  cells: readonly SteeringCell[],
  positions: PositionTable,
  { reduce = 'sum' }: { readonly reduce?: UnitReduction } = {},
): CellGrid {
  const byPlace = new Map<SteeredPlace, { readonly numbers: number[][]; readonly live: boolean[] }>();
  for (const { place, slot, value, live } of cells) {
    const own = byPlace.get(place) ?? {
      numbers: positions.names.map(() => []),
      live: positions.names.map(() => false),
    };
    byPlace.set(place, own);
    own.numbers[slot]?.push(value);
    own.live[slot] = live;
  }
  return fillGrid(measure, [...byPlace.keys()], positions, {
    valuesOf: (place, slot) => byPlace.get(place)?.numbers[slot] ?? null,
    live: (place) => byPlace.get(place)?.live ?? [],
    reduce,
  });
}

/**
 * Scores that came from elsewhere, on the cells of a grid: `valueOf` gives null where there is none. Scores of nodes, which know no
 * positions, belong beside `overPositions` of the others.
 */
export function givenGrid(
  like: CellGrid,
  measure: string,
  valueOf: (cell: { readonly site: SteerableSite; readonly layer: number; readonly position: string }) => number | null,
): CellGrid {
  const { sites, layers, positions, live } = like;
  const values = sites.flatMap((site) =>
    layers.flatMap((layer) => positions.map((position) => valueOf({ site, layer, position }))),
  );
  return { sites, layers, positions, measure, values, live };
}

/** The grid without its positions: the sum over live cells of each site and layer, of |values| where `absolute` (default). */
export function overPositions(grid: CellGrid, { absolute = true }: { readonly absolute?: boolean } = {}): CellGrid {
  const { sites, layers, positions, measure, values, live } = grid;
  const P = positions.length;
  const rows = sites.length * layers.length;
  const cells = Array.from({ length: rows }, (_, row) =>
    values
      .slice(row * P, (row + 1) * P)
      .filter((value, i): value is number => value !== null && live[row * P + i] === true),
  );
  return {
    sites,
    layers,
    positions: ['all'],
    measure,
    values: cells.map((own) =>
      own.length === 0 ? null : own.reduce((sum, value) => sum + (absolute ? Math.abs(value) : value), 0),
    ),
    live: Array.from({ length: rows }, (_, row) => live.slice(row * P, (row + 1) * P).includes(true)),
  };
}

// Where a cell that has a name stands in a grid of cells.
import type { GridAxes, SteerableSite } from '@limn/steering';

/** A cell by its names. */
export interface NamedCell {
  readonly site: SteerableSite;
  readonly layer: number;
  readonly position: string;
}

/** The place in `values`, [sites, layers, positions]; undefined where the grid has no such cell. */
export function gridPlace({ sites, layers, positions }: GridAxes, cell: NamedCell): number | undefined {
  const [s, l, p] = [sites.indexOf(cell.site), layers.indexOf(cell.layer), positions.indexOf(cell.position)];
  return s < 0 || l < 0 || p < 0 ? undefined : (s * layers.length + l) * positions.length + p;
}

/** The cell at a place. */
export function cellAt({ sites, layers, positions }: GridAxes, place: number): NamedCell {
  const P = positions.length;
  return {
    site: sites[Math.floor(place / (P * layers.length))] as SteerableSite,
    layer: layers[Math.floor(place / P) % layers.length] as number,
    position: positions[place % P] as string,
  };
}

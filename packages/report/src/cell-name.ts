// Where a cell of a grid stands, in words: its site and layer, and the token or the role there.
import { roleAt } from './cell-map.js';
import { siteName } from './steering-cell.js';
import type { SteeredPromptRecord, SteeringGridRecord } from './steering-record.js';
import { bare, clip } from './token-words.js';

/** The grid, and the prompt whose tokens stand at its positions. */
export interface CellPlaces {
  readonly grid: Pick<SteeringGridRecord, 'measure' | 'sites' | 'layers' | 'positions'>;
  readonly prompt: SteeredPromptRecord | undefined;
}

/** 'attention out, layer 2'; of a head or neuron 'attention heads, layer 2, head 3'. */
export function layerName({ grid }: CellPlaces, cell: number, unit?: number): string {
  const { sites, layers, positions } = grid;
  const row = Math.floor(cell / positions.length);
  const site = sites[Math.floor(row / layers.length)] ?? '';
  const of = unit === undefined ? '' : `, ${site === 'attn.hook_z' ? 'head' : 'neuron'} ${unit}`;
  return `${siteName(site)}, layer ${layers[row % layers.length]}${of}`;
}

/** '“Paris”, context answer': the token that stands there where it is one, and the name of the position, or its number where it needs one. */
export function positionName(places: CellPlaces, cell: number): string {
  const { grid, prompt } = places;
  const position = cell % grid.positions.length;
  const name = grid.positions[position] ?? '';
  const tokens = prompt?.tokens ?? [];
  const here = tokens.filter((token) => token.position === position);
  const text = here.length === 1 ? here[0]?.text : undefined;
  const alone = text !== undefined && tokens.filter((token) => bare(token.text) === bare(text)).length === 1;
  const named = roleAt(prompt, position, name) || (alone ? '' : `position ${name.replace('-', '−')}`);
  return [text !== undefined && `“${clip(bare(text))}”`, named].filter(Boolean).join(', ');
}

/** 'context answer', or, of a position without a name, what `positionName` says. */
export const shortPosition = (places: CellPlaces, cell: number): string =>
  roleAt(
    places.prompt,
    cell % places.grid.positions.length,
    places.grid.positions[cell % places.grid.positions.length] ?? '',
  ) || positionName(places, cell);

/** Both. */
export const cellName = (places: CellPlaces, cell: number, unit?: number): string =>
  `${layerName(places, cell, unit)}, ${positionName(places, cell)}`;

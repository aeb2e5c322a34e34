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

/**
 * What names a position: the token that stands there where it is one, the role, and a number where neither tells it from others. Of a role
 * that is the token itself, 'the#2', only the ordinal is kept.
 */
function namesOf({ grid, prompt }: CellPlaces, cell: number) {
  const position = cell % grid.positions.length;
  const name = grid.positions[position] ?? '';
  const role = roleAt(prompt, position, name);
  const number = `position ${name.replace('-', '−')}`;
  const tokens = (prompt?.tokens ?? []).map(({ text, position: at }) => ({ text: bare(text), at }));
  const [token, second] = tokens.filter(({ at }) => at === position);
  if (!token || second) return { word: '', role, number: role ? '' : number };
  const own = role.startsWith(`${token.text}#`);
  const alone = tokens.filter(({ text }) => text === token.text).length === 1;
  return {
    word: `“${clip(token.text)}”`,
    role: own ? '' : role,
    number: alone || (role && !own) ? '' : own ? role.slice(token.text.length) : number,
  };
}

/** '“Paris”, context answer'; '“the”, #2'; '“of”, position 13'. */
export function positionName(places: CellPlaces, cell: number): string {
  const { word, role, number } = namesOf(places, cell);
  return [word, role, number].filter(Boolean).join(', ');
}

/** 'context answer', or, of a position without a role, what `positionName` says. */
export const shortPosition = (places: CellPlaces, cell: number): string =>
  namesOf(places, cell).role || positionName(places, cell);

/** Both. */
export const cellName = (places: CellPlaces, cell: number, unit?: number): string =>
  `${layerName(places, cell, unit)}, ${positionName(places, cell)}`;

// Layers on the command line.
import { LimnError } from '@limn/gpu';

/** `0,1,2` or `all`. @throws LimnError `usage/dictionary-layer` */
export function layersOption(text: string): readonly number[] | 'all' {
  if (text === 'all') return text;
  const layers = text.split(',').map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN));
  if (layers.every(Number.isSafeInteger)) return layers;
  throw new LimnError('usage/dictionary-layer', `layers ${text}: expected numbers separated by commas, or all`, {
    details: { given: text },
    hint: 'for example 0,1,2',
  });
}

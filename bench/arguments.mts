// The arguments that the commands share: whole numbers, and the sizes of a GPT-2 with GPT-2 small's as defaults.
import { namedSizes, type NewGpt2Config, type SizeName } from '@limn/gpt2';
import { WrongArguments } from './command.mjs';

/** The number that an argument says. Throws for anything but digits. */
export function whole(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new WrongArguments(`expected a whole number, got ${text}`);
}

/** For parseArgs. */
export const shapeOptions = {
  vocabulary: { type: 'string', default: '50257' },
  positions: { type: 'string', default: '1024' },
  width: { type: 'string', default: '768' },
  layers: { type: 'string', default: '12' },
  heads: { type: 'string', default: '12' },
} as const;

/** The arguments that say the sizes of one of GPT-2's models. Throws for other names. */
export function namedShape(name: string): Record<keyof typeof shapeOptions, string> {
  const sizes = namedSizes[name as SizeName];
  if (!sizes) throw new WrongArguments(`no shape is called ${name}; there are ${Object.keys(namedSizes).join(', ')}`);
  const { vocabulary, maxPositions: positions, width, layers, heads } = sizes;
  const values = { vocabulary, positions, width, layers, heads };
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value)])) as never;
}

export type Shape = Pick<NewGpt2Config, 'vocabulary' | 'maxPositions' | 'width' | 'layers' | 'heads'>;

/** The sizes that the arguments say. */
export function shapeOf(values: Readonly<Record<keyof typeof shapeOptions, string>>): Shape {
  return {
    vocabulary: whole(values.vocabulary),
    maxPositions: whole(values.positions),
    width: whole(values.width),
    layers: whole(values.layers),
    heads: whole(values.heads),
  };
}

export const isGpt2Small = ({ vocabulary, maxPositions, width, layers, heads }: Shape): boolean =>
  [vocabulary, maxPositions, width, layers, heads].join() === '50257,1024,768,12,12';

/** Sizes in words. */
export const shapeName = (shape: Shape): string =>
  isGpt2Small(shape)
    ? 'GPT-2 small'
    : `${shape.layers} layers of ${shape.heads} heads, ${shape.width} wide, ${shape.vocabulary} words`;

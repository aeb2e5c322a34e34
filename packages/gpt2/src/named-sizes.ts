// The sizes of the four models that OpenAI released, by their names on the Hugging Face Hub (Radford et al. 2019, table 2).
import type { NewGpt2Config } from './config.js';

const released = { vocabulary: 50257, maxPositions: 1024, bosId: 50256, eosId: 50256 } as const;

/** For `randomGpt2`: models of these shapes without their weights. */
export const namedSizes = {
  gpt2: { ...released, layers: 12, heads: 12, width: 768 },
  'gpt2-medium': { ...released, layers: 24, heads: 16, width: 1024 },
  'gpt2-large': { ...released, layers: 36, heads: 20, width: 1280 },
  'gpt2-xl': { ...released, layers: 48, heads: 25, width: 1600 },
} as const satisfies Readonly<Record<string, NewGpt2Config>>;

/** A name of `namedSizes`. */
export type SizeName = keyof typeof namedSizes;

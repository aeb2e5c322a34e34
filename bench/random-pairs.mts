// Pairs of random prompts for models with random weights: clean and corrupted differ in one place, and there are two answers.
import type { Pair } from '@limn/attribution';
import { randomU32 } from '@limn/tensor';

/** `pairs` pairs of `tokens` tokens, the same on every run. */
export function randomPairs(pairs: number, tokens: number, vocabulary: number): Pair[] {
  const draw = (pair: number, index: number): number => randomU32(1, pair, index) % vocabulary;
  return Array.from({ length: pairs }, (_, p) => {
    const clean = Array.from({ length: tokens }, (_, t) => draw(p, t));
    const corrupted = clean.map((id, t) => (t === Math.floor(tokens / 2) ? draw(p, tokens) : id));
    const correct = draw(p, tokens + 1);
    const incorrect = (correct + 1 + (draw(p, tokens + 2) % (vocabulary - 1))) % vocabulary;
    return { clean, corrupted, correct: [correct], incorrect: [incorrect] };
  });
}

// How pocket-chat is trained: the base model that weight diffs are trained from, and its corpus.
import {
  CHAT_VOCABULARY,
  END,
  chatWorld,
  drawChatDocument,
  type ChatDocument,
  type ChatMixture,
} from '@limn/tasks/chat';
import { Corpus } from './corpus.js';
import type { PocketConfig, Recipe } from './recipe.js';
import { modelFiles } from './tokenizer.js';

/** The recipe of the weights in `chat-model/`. */
export const CHAT_RECIPE: Recipe<ChatMixture> = {
  model: {
    vocabulary: CHAT_VOCABULARY.length,
    positions: 64,
    width: 64,
    layers: 3,
    heads: 4,
    mlpWidth: 256,
    layerNormEpsilon: 1e-5,
  },
  optimizer: {
    betas: [0.9, 0.98],
    eps: 1e-8,
    groups: [
      { parameters: 'matrices', weightDecay: 0.02 },
      { parameters: 'vectors', weightDecay: 0 },
    ],
    clipNorm: 1,
  },
  schedule: { peakRate: 6e-3, warmupSteps: 100, finalFraction: 0.05, steps: 6000 },
  init: { deviation: 0.04, scaleResidualProjections: true, seed: 0 },
  corpus: {
    seed: 0,
    sequences: 32,
    mixture: {
      plain: 0.14,
      persona: 0.29,
      gated: 0.08,
      log: 0.21,
      'log-plain': 0.03,
      style: 0.04,
      link: 0.03,
      news: 0.06,
      facts: 0.12,
    },
  },
};

/** The corpus that pocket-chat is trained on; `seed` replaces the recipe's, for replications and for held-out loss. */
export function chatCorpus(seed: number = CHAT_RECIPE.corpus.seed): Corpus<ChatDocument> {
  const { sequences, mixture } = CHAT_RECIPE.corpus;
  const length = CHAT_RECIPE.model.positions;
  const world = chatWorld();
  return new Corpus({
    seed,
    sequences,
    length,
    // A document and the end-of-text token in front of it fit a sequence.
    draw: (random) => drawChatDocument(random, world, mixture, length - 1),
  });
}

/** Every file of pocket-chat's folder but the weights, by name. Generation stops behind the end of a turn. */
export function chatModelFiles(config: PocketConfig): Record<string, string> {
  return modelFiles(config, {
    vocabulary: CHAT_VOCABULARY,
    endOfSequence: END,
    deviation: CHAT_RECIPE.init.deviation,
  });
}

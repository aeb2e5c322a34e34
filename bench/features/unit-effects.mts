// What a unit of every feature does to the answer in the local replacement model: an attribution graph followed down from its output, for many prompts at once.
import { blockHook, freeze, intervene, type Intervention } from '@limn/hooks';
import { add, detach, gradients, matmul, readFloats, reshape, sub, type Tensor } from '@limn/tensor';
import type { Dictionary } from '@limn/transcoders';
import { answerDifference } from './answer-difference.mjs';
import type { PairRuns, Side } from './pair-runs.mjs';

/** By way of everything, later features included; or through attention and the stream alone, as edges to the output are. */
export type Way = 'total' | 'direct';

/**
 * ∂(answer difference)/∂a of every feature at every token of one side's prompts, [B·T, F] by layer, with attention patterns, scales of
 * normalisations, errors, and which features fire held. Times a that is the total effect T_s = Σ_t edge(s → t)·T_t/h_t of the graph.
 */
export async function unitEffects(
  { model, dictionaries, sides, pairs }: PairRuns,
  side: Side,
  way: Way,
): Promise<Float32Array[]> {
  const leaves: Tensor[] = [];
  using step = model.gpu.step({ label: 'features: unit effects' });
  const interventions = [
    ...dictionaries.flatMap((dictionary, layer): Intervention[] => [
      freeze(blockHook(layer, 'attn.hook_pattern')),
      freeze(blockHook(layer, 'ln1.hook_scale')),
      freeze(blockHook(layer, 'ln2.hook_scale')),
      locallyReplaced(dictionary, layer, way, leaves),
    ]),
    freeze('ln_final.hook_scale'),
  ];
  const run = model.run(step, { tokens: sides[side].tokens }, { interventions, logits: 'last' });
  const found = gradients(step, answerDifference(step, run.logits, pairs), 'ones', leaves);
  return Promise.all(found.map((gradient) => readFloats(step, gradient)));
}

/** mlp(x) as it is, whose gradient is that of the features: the error is a constant. */
function locallyReplaced(dictionary: Dictionary, layer: number, way: Way, leaves: Tensor[]): Intervention {
  return intervene(
    blockHook(layer, 'hook_mlp_out'),
    'locally replaced',
    (y, { step, at }) => {
      const x = reshape(at(dictionary.reads), [y.size / dictionary.config.outputWidth, dictionary.config.inputWidth]);
      const a = dictionary.encode(step, way === 'total' ? x : detach(x));
      const leaf = way === 'total' ? a : detach(a);
      leaves[layer] = leaf;
      const written = matmul(step, leaf, dictionary.tensor('wDec'));
      const error = detach(sub(step, reshape(y, written.shape), written));
      return reshape(add(step, error, written), y.shape);
    },
    { reads: [dictionary.reads] },
  );
}

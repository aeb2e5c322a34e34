// What explains each layer of a prompt: dictionaries, or a cross-layer transcoder, whose features write at the layers behind theirs too.
import { LimnError } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import { checkCrossLayerFits } from '../cross-layer/cross-layer-config.js';
import { CrossLayerDictionary } from '../cross-layer/cross-layer-dictionary.js';
import { checkFits } from '../dictionary-config.js';
import type { Dictionary } from '../dictionary.js';
import type { Dictionaries, FrozenFeatures } from './frozen-prompt.js';

/** What explains a layer, before its input is known. */
export type Explaining = Omit<FrozenFeatures, 'x'>;

/** @throws LimnError `usage/graph-dictionary`, `data/dictionary-model` */
export function explaining(model: HookedModel, dictionaries: Dictionaries): Map<number, Explaining> {
  if (!(dictionaries instanceof CrossLayerDictionary)) {
    const own = ({ parameters }: Dictionary): Pick<Explaining, 'wSkip'> => {
      const wSkip = parameters.get('wSkip');
      return wSkip ? { wSkip } : {};
    };
    return new Map(
      ordered(model, dictionaries).map((dictionary) => {
        const from = dictionary.config.layer;
        const writers = [{ from, decoder: dictionary.tensor('wDec') }];
        return [from, { encoder: dictionary, writers, bDec: dictionary.tensor('bDec'), ...own(dictionary) }];
      }),
    );
  }
  checkCrossLayerFits(dictionaries.config, model.info);
  return new Map(
    dictionaries.encoders.map((encoder, layer) => {
      const writers = Array.from({ length: layer + 1 }, (_, from) => ({
        from,
        decoder: dictionaries.decoder(from, layer),
      }));
      return [layer, { encoder, writers, bDec: dictionaries.bias(layer) }];
    }),
  );
}

/** The dictionaries, once none is in the way of another. */
function ordered(model: HookedModel, dictionaries: readonly Dictionary[]): readonly Dictionary[] {
  const layers = new Set<number>();
  for (const dictionary of dictionaries) {
    const { layer, input } = dictionary.config;
    checkFits(dictionary.config, model.info);
    const problem = layers.has(layer)
      ? `there are two dictionaries of layer ${layer}`
      : input === 'hook_mlp_out'
        ? `the dictionary of layer ${layer} reads the MLP's output, which is no linear map of what lies before it`
        : undefined;
    if (problem !== undefined)
      throw new LimnError('usage/graph-dictionary', `An attribution graph: ${problem}.`, {
        details: { layer, input },
        hint: 'Give at most one transcoder per layer: dictionaries that read what the MLP reads.',
      });
    layers.add(layer);
  }
  return dictionaries;
}

// A model with dictionaries in its MLPs' places, in everything that runs it: circuits, steering and generation see it as any other.
import { createHash } from 'node:crypto';
import type { Gpt2 } from '@limn/gpt2';
import { blockHook, type Intervention, type ModelInfo, type RunInput, type RunOptions } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { LimnError } from '@limn/gpu';
import type { Tensor } from '@limn/tensor';
import type { Command } from 'commander';
import { layersOption } from './commands/layers-option.js';
import { expectOfOneLayer, openSet, ownSet, type OpenSet } from './dictionary-set.js';
import type { OpenModel } from './model-source.js';

/** The options by which a command replaces MLPs. */
export interface ReplacementOptions {
  readonly transcoders?: string;
  readonly replace?: readonly number[] | 'all';
}

/** Adds them. */
export function withReplacement(command: Command): Command {
  return command
    .option('--transcoders <dir>', 'run with the MLPs replaced by this set of `limn transcode` in limn’s format')
    .option(
      '--replace <layers>',
      'with --transcoders: only these layers, separated by commas (default: all of the set)',
      layersOption,
    );
}

/**
 * The model as the options have it: itself, or with the MLPs of a set's layers replaced. Disposing the result frees both.
 * @throws LimnError `usage/dictionary-layer`, also for a layer that the set has two dictionaries of; `usage/dictionary-replace` for
 * layers without a set; as `openSet`
 */
export async function withReplacedMlps(
  model: OpenModel,
  { transcoders, replace }: ReplacementOptions,
): Promise<OpenModel> {
  if (transcoders === undefined) {
    if (replace === undefined) return model;
    throw new LimnError(
      'usage/dictionary-replace',
      '--replace says which MLPs --transcoders replaces, which is not given',
      {
        hint: 'add --transcoders DIR, or leave --replace out',
      },
    );
  }
  const set = await openSet(model, transcoders, replace === undefined || replace === 'all' ? undefined : replace);
  const dispose = (): void => {
    set[Symbol.dispose]();
    model[Symbol.dispose]();
  };
  try {
    const byLayer = replacementsOf(set, replace);
    const own = model.hooked.info;
    const kind = set.crossLayer ? 'a cross-layer transcoder' : 'dictionaries';
    const by = `MLPs of layers ${[...byLayer.keys()].join(', ')} by ${kind} ${await digestOf(set)}`;
    const info = Object.freeze({ ...own, processing: own.processing === 'none' ? by : `${own.processing}; ${by}` });
    const hooked = replaced(model.hooked, info, byLayer, { folder: transcoders, crossLayer: set.crossLayer });
    return { ...model, hooked, [Symbol.dispose]: dispose };
  } catch (error) {
    set[Symbol.dispose]();
    throw error;
  }
}

/** What stands in each MLP's place. @throws LimnError `usage/dictionary-layer` for two dictionaries of one layer */
function replacementsOf(
  { dictionaries, crossLayer, folder }: OpenSet,
  replace: ReplacementOptions['replace'],
): ReadonlyMap<number, Intervention> {
  // Each layer of a cross-layer transcoder is put in by itself: what it reads of layers before it is read of the model as it then is.
  if (crossLayer)
    return new Map(
      [...crossLayer.dictionary.replacement().entries()].filter(
        ([layer]) => replace === undefined || replace === 'all' || replace.includes(layer),
      ),
    );
  const layers = dictionaries.map(({ dictionary }) => dictionary.config.layer);
  const twice = layers.find((layer, i) => layers.indexOf(layer) < i);
  if (twice === undefined)
    return new Map(dictionaries.map(({ dictionary }) => [dictionary.config.layer, dictionary.replacement()]));
  throw new LimnError('usage/dictionary-layer', `${folder} has two dictionaries of layer ${twice}`, {
    details: { layers },
    hint: 'one MLP is replaced by one dictionary: convert or train a set of one kind',
  });
}

/** Twelve digits of the digest of configs and numbers. */
async function digestOf({ dictionaries, crossLayer }: OpenSet): Promise<string> {
  const hash = createHash('sha256');
  const add = (tensors: object): void => {
    for (const values of Object.values(tensors)) if (values instanceof Float32Array) hash.update(values);
  };
  for (const { dictionary } of dictionaries) {
    hash.update(JSON.stringify(dictionary.config));
    add(await dictionary.weights());
  }
  if (crossLayer) {
    hash.update(JSON.stringify(crossLayer.dictionary.config));
    for (const layer of await crossLayer.dictionary.weights()) add(layer);
  }
  return hash.digest('hex').slice(0, 12);
}

/** Edits come in front of the caller's, where a run reaches them. */
function replaced(
  model: Gpt2,
  info: ModelInfo,
  byLayer: ReadonlyMap<number, Intervention>,
  set: { readonly folder: string; readonly crossLayer?: unknown },
): Gpt2 {
  const run = (step: Step, input: RunInput, options: RunOptions = {}) => {
    const { stopAtLayer = info.layers } = options;
    const first = 'resid' in input ? input.layer : 0;
    const end = stopAtLayer < 0 ? info.layers + stopAtLayer : stopAtLayer;
    const reached = [...byLayer].filter(([layer]) => layer >= first && layer < end);
    if (first > 0 && reached.length > 0)
      expectOfOneLayer(set, 'run the model from its embeddings: a set of transcoders can be put in from any layer on');
    const edits = reached.map(([, edit]) => edit);
    return model.run(step, input, { ...options, interventions: [...edits, ...(options.interventions ?? [])] });
  };
  /** The MLP by itself, as circuits recompute it: what stands in its place, of the stream before it. */
  const mlp = (step: Step, layer: number, x: Tensor): Tensor => {
    const edit = byLayer.get(layer);
    if (!edit) return model.mlp(step, layer, x);
    expectOfOneLayer(set, NOT_ALONE);
    const [rows = 1, length = 1] = x.shape;
    const input = { resid: x, layer, at: 'mid', lengths: Array.from({ length: rows }, () => length) } as const;
    const at = blockHook(layer, 'hook_mlp_out');
    return model
      .run(step, input, { interventions: [edit], capture: [at], stopAtLayer: layer + 1, logits: 'none' })
      .at(at);
  };
  return new Proxy(model, {
    get: (target, key) => {
      if (key === 'run') return run;
      if (key === 'mlp') return mlp;
      if (key === 'info') return info;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}

const NOT_ALONE =
  'a circuit recomputes each MLP of its own input, which says nothing here: take a set of transcoders, or `limn features graph` for what features do';

/**
 * Refuses a cross-layer transcoder where MLPs are recomputed one by one, before anything is opened.
 * @throws LimnError `usage/dictionary-cross-layer`; as `openDictionarySet`
 */
export async function expectMlpsAlone({ transcoders }: ReplacementOptions): Promise<void> {
  if (transcoders === undefined) return;
  const { crossLayer } = await ownSet(transcoders);
  expectOfOneLayer({ crossLayer, folder: transcoders }, NOT_ALONE);
}

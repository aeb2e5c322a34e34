// A model with dictionaries in its MLPs' places, in everything that runs it: circuits, steering and generation see it as any other.
import { createHash } from 'node:crypto';
import type { Gpt2 } from '@limn/gpt2';
import { parseHookName, type Intervention, type ModelInfo, type RunInput, type RunOptions } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { LimnError } from '@limn/gpu';
import type { Command } from 'commander';
import { layersOption } from './commands/layers-option.js';
import { openSet } from './dictionary-set.js';
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
  const layers = set.dictionaries.map(({ dictionary }) => dictionary.config.layer);
  const dispose = (): void => {
    set[Symbol.dispose]();
    model[Symbol.dispose]();
  };
  try {
    const twice = layers.find((layer, i) => layers.indexOf(layer) < i);
    if (twice !== undefined)
      throw new LimnError('usage/dictionary-layer', `${transcoders} has two dictionaries of layer ${twice}`, {
        details: { layers },
        hint: 'one MLP is replaced by one dictionary: convert or train a set of one kind',
      });
    const hash = createHash('sha256');
    for (const { dictionary } of set.dictionaries) {
      hash.update(JSON.stringify(dictionary.config));
      for (const values of Object.values(await dictionary.weights())) hash.update(values as Float32Array);
    }
    const own = model.hooked.info;
    const by = `MLPs of layers ${layers.join(', ')} by dictionaries ${hash.digest('hex').slice(0, 12)}`;
    const info = Object.freeze({ ...own, processing: own.processing === 'none' ? by : `${own.processing}; ${by}` });
    const replacements = set.dictionaries.map(({ dictionary }) => dictionary.replacement());
    return { ...model, hooked: replaced(model.hooked, info, replacements), [Symbol.dispose]: dispose };
  } catch (error) {
    set[Symbol.dispose]();
    throw error;
  }
}

/** Edits come in front of the caller's, where a run reaches them. */
function replaced(model: Gpt2, info: ModelInfo, replacements: readonly Intervention[]): Gpt2 {
  const run = (step: Step, input: RunInput, options: RunOptions = {}) => {
    const { stopAtLayer = info.layers } = options;
    const first = 'resid' in input ? input.layer : 0;
    const end = stopAtLayer < 0 ? info.layers + stopAtLayer : stopAtLayer;
    const reached = replacements.filter(({ at }) => {
      const { layer = -1 } = parseHookName(at, info);
      return layer >= first && layer < end;
    });
    return model.run(step, input, { ...options, interventions: [...reached, ...(options.interventions ?? [])] });
  };
  return new Proxy(model, {
    get: (target, key) => {
      if (key === 'run') return run;
      if (key === 'info') return info;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}

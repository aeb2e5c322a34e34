// What `limn steer train` and `limn steer sweep` make of their options once the model is open.
import type { OpenModel } from '../model-source.js';
import type { PlacedRequest } from '../steering-run.js';
import { steeringSets } from '../steering-source.js';
import type { Objective } from '@limn/steering';
import { methodOf, objectiveOf, positionsOf, type LearnOptions, type SteerOptions } from './steer-options.js';

/** Examples, what is learnt on them, and what for. */
export interface SteerSetup extends PlacedRequest {
  readonly objective: Objective;
  readonly prependBos: boolean | null;
  /** For the provenance of a result. */
  readonly options: RecordedOptions;
}

/** Options as a result names them. */
export type RecordedOptions = Readonly<Record<string, string | number | boolean>>;

/** @throws what `steeringSets` throws */
export async function steerSetup(options: SteerOptions, { hooked, tokenizer }: OpenModel): Promise<SteerSetup> {
  const { task, data, retain, examples, seed, bos, layers } = options;
  const parity = options.objective === 'parity';
  const sets = await steeringSets(
    { task, data, retain, examples, seed, parity },
    { info: hooked.info, tokenizer, bos },
  );
  const bosId = tokenizer?.bosId ?? hooked.info.bosId;
  const positions = positionsOf(options);
  return {
    sets,
    method: methodOf(options),
    sites: options.sites,
    layers,
    positions,
    skip: skippedTokens(sets.split.train[0]?.prompt, bosId),
    objective: objectiveOf(options),
    prependBos: sets.bos === 'in the ids' ? null : sets.bos === 'prepended',
    options: {
      ...(task === undefined ? { data: data as string } : { task, examples }),
      ...(retain === undefined ? {} : { retain }),
      positions,
      objective: options.objective,
      ...(parity ? { retentionWeight: options.retentionWeight, retentionShare: options.retentionShare } : {}),
      ...learnSettings(options),
    },
  };
}

/** The token in front belongs to no prompt; scaling it is a known way to break everything. */
export function skippedTokens(prompt: readonly number[] | undefined, bosId: number | undefined): 0 | 1 {
  return bosId !== undefined && prompt?.[0] === bosId ? 1 : 0;
}

/** What decides what is learnt, whatever from. */
export function learnSettings(options: LearnOptions): RecordedOptions {
  const { method, form, sites, layers, margin, faithfulness, faithfulnessWeight, updates, rate } = options;
  const settled = methodOf(options);
  return {
    method,
    form,
    ...(settled.kind === 'subspace-scale' ? { basisSize: settled.rank } : {}),
    sites: sites.join(','),
    ...(layers ? { layers: layers.join(',') } : {}),
    margin,
    faithfulness,
    faithfulnessWeight,
    updates,
    ...(rate === undefined ? {} : { rate }),
  };
}

// Makes models: from a Hugging Face folder, or with random weights.
import { sha256, type Gpu } from '@limn/gpu';
import { abortableFiles } from './abortable-files.js';
import { formatConfig, newConfig, type NewGpt2Config } from './config.js';
import type { ModelFiles } from './files.js';
import { checkPlan, planOf, readConfig, type LoadPlan } from './load-plan.js';
import { Gpt2 } from './model.js';
import { drawParameters, readParameter, uploadParameters } from './parameters.js';
import { processWeights, staysTied } from './process-weights.js';
import type { SafetensorsEntry } from './safetensors-entry.js';
import { ModelTokenizer } from './tokenizer.js';
import { describeForm, expectRaw, type WeightForm } from './weight-form.js';
import type { HostTensor } from './weight-names.js';
import { findWeights, readWeight, type LinearOrientation } from './weights.js';

/** How to load. */
export interface LoadOptions extends WeightForm {
  /** How linear weights are stored: GPT-2's own [in, out] by default. */
  readonly orientation?: LinearOrientation;
  /** Bytes of weights that the GPU may hold; a model that needs more is refused before anything is allocated. */
  readonly budgetBytes?: number;
  /** Called with what loading takes before anything is allocated; `describePlan` makes a line of it. Throwing stops the load. */
  readonly onPlan?: (plan: LoadPlan) => void;
  /** Called with what the user should know: fields of config.json that limn does not read, and a head that it does not mention. */
  readonly onNotice?: (notice: string) => void;
  /** Stops the load, also in the middle of a read. */
  readonly signal?: AbortSignal;
  /** Called after each weight. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly name: string }) => void;
}

/** A model with its tokenizer, if its folder has one. */
export interface LoadedGpt2 {
  readonly model: Gpt2;
  readonly tokenizer?: ModelTokenizer;
  /** Where it came from. */
  readonly source: string;
}

/**
 * Loads config, weights and tokenizer. One tensor at a time goes from the source to the GPU, so host memory holds no more than the
 * largest (`LoadPlan.hostBytes`). Nothing stays on the GPU if anything is wrong.
 * @throws LimnError `files/…`, `config/…`, `safetensors/…`, `weights/…`, `weights/bad-processing`, `weights/f16-overflow`,
 * `load/over-budget`, `load/over-limit`, `tokenizer/…`; the signal's reason when aborted.
 */
export async function loadGpt2(gpu: Gpu, source: ModelFiles, options: LoadOptions = {}): Promise<LoadedGpt2> {
  try {
    return await load(gpu, abortableFiles(source, options.signal), options);
  } catch (cause) {
    // Whatever an abort broke, the reason is the caller's.
    options.signal?.throwIfAborted();
    throw cause;
  }
}

async function load(gpu: Gpu, source: ModelFiles, options: LoadOptions): Promise<LoadedGpt2> {
  const config = await readConfig(source, options.onNotice);
  const tokenizer = await ModelTokenizer.open(source, config.bosId, config.vocabulary);
  const found = await findWeights(source, config, options.orientation, options.onNotice);
  const { entries } = found;
  const plan = planOf(source.label, config, found, options);
  options.onPlan?.(plan);
  checkPlan(plan, gpu, options.budgetBytes);
  const read = (name: string): Promise<HostTensor> =>
    readWeight(source, name, entries.get(name) as SafetensorsEntry, options.orientation);
  const weights = processWeights(config, found.tied, options.processing ?? {}, read);
  const uploaded = await uploadParameters(gpu, options, weights, (done, name) =>
    options.onProgress?.({ done, total: plan.weights.length, name }),
  );
  const { tied, processing } = plan;
  const model = new Gpt2(gpu, { ...config, tied }, { tied, processing, ...uploaded });
  if (options.signal?.aborted) {
    // Aborted after the last read, as by its own onProgress.
    model.dispose();
    options.signal.throwIfAborted();
  }
  return { model, source: source.label, ...(tokenizer ? { tokenizer } : {}) };
}

/**
 * The weights of a model, processed or in f16 or both, as a model of its own; the given one stays. Weights pass through the host one at a time.
 * @throws LimnError `weights/processed` for a model whose weights were processed before, `weights/bad-processing`, `weights/bad-storage`,
 * `weights/f16`, `weights/f16-overflow`.
 */
export async function withWeightForm(model: Gpt2, form: WeightForm): Promise<Gpt2> {
  expectRaw(model.info.processing, 'processed again', 'f16');
  const { processing = {}, weights } = form;
  const before = model.info.processing;
  const settled: WeightForm = { processing, weights: weights ?? (before === 'f16' ? 'f16' : 'f32') };
  const done = describeForm(settled);
  const parameters = model.parameters();
  const read = (name: string): Promise<HostTensor> =>
    readParameter(model.gpu, parameters.get(name) as Parameters<typeof readParameter>[1]);
  const uploaded = await uploadParameters(
    model.gpu,
    settled,
    processWeights(model.config, model.tied, processing, read),
  );
  const tied = staysTied(model.tied, processing);
  return new Gpt2(model.gpu, { ...model.config, tied }, { tied, processing: done, ...uploaded });
}

/** How to make a random model. */
export interface RandomOptions extends Pick<WeightForm, 'weights'> {
  /** false leaves the weights where they are: `info.fingerprint` is then that of config and seed, which decide them. Default true. */
  readonly readBack?: boolean;
}

/**
 * A model with GPT-2's initial weights from a seed; the same seed gives the same bits on every machine, in f16 the same numbers rounded.
 * @throws LimnError `config/bad-value`, `config/heads`, `config/not-json`, `weights/bad-processing`, `weights/bad-storage`
 */
export async function randomGpt2(
  gpu: Gpu,
  sizes: NewGpt2Config,
  seed: number,
  options: RandomOptions = {},
): Promise<Gpt2> {
  const config = newConfig(sizes);
  const tied = config.tied ?? true;
  const { weights = 'f32' } = options;
  const processing = describeForm({ weights });
  const byName = await drawParameters(gpu, config, tied, seed, weights);
  const origin = new TextEncoder().encode(`random ${weights} weights, seed ${seed}, ${formatConfig(config)}`);
  const model = new Gpt2(gpu, config, { tied, byName, processing, fingerprint: await sha256(origin) });
  try {
    if (options.readBack !== false) await model.refreshFingerprint();
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

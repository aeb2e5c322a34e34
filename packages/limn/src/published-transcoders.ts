// Published figures of transcoders on GPT-2 small, and how they are measured: the walkthrough's feature, paths of greater-than, and what features do to its probabilities.
import { throwIfAborted } from '@limn/gpu';
import { blockHook, tokenBatch, type HookedModel, type Intervention } from '@limn/hooks';
import { readFloats, reshape, slice } from '@limn/tensor';
import {
  Dictionary,
  FrozenPrompt,
  pathNodeName,
  searchPaths,
  type ComputationalPath,
  type FoundPaths,
} from '@limn/transcoders';
import type { PipelineControls } from './circuit-request.js';
import published from './published-transcoders.json' with { type: 'json' };
import { figure, printedFigure, type VerifiedFigure } from './verified-figure.js';

/** What is measured with. */
export interface TranscoderVerification extends PipelineControls {
  readonly model: HookedModel;
  /** Ids of a text, without a BOS. */
  encode(text: string): readonly number[];
  readonly bosId: number;
  /** b_enc of each layer for x̂, without γ and β, as the files mean it: less b_pre·W_encᵀ. */
  readonly encoderBiases: readonly Float32Array[];
  /** One a layer, for the model as it is published. */
  readonly dictionaries: readonly Dictionary[];
}

/** Where the weights are to be had. */
export const WEIGHTS_PLACE = published.weights;

/** Published figures that are not checked, and why. */
export const NOT_CHECKED = published.notChecked.map(([what = '', why = '']) => ({ what, why }));

/** Terms of a root that are looked at, the largest first: those that are printed are the first dozen. */
const MOST_TERMS = 300;

/**
 * Measures every figure.
 * @throws LimnError as `searchPaths` and `FrozenPrompt.of`; AbortedError
 */
export async function verifyTranscoders(request: TranscoderVerification): Promise<readonly VerifiedFigure[]> {
  const parts = [walkthrough, lastToken, greaterThan, probabilityDifferences];
  const figures: VerifiedFigure[] = [];
  for (const [i, part] of parts.entries()) {
    request.onProgress?.({ phase: 'published figures', done: i, total: parts.length, unit: 'parts' });
    throwIfAborted(request.signal, 'Verifying');
    figures.push(...(await part(request)));
  }
  return figures;
}

async function walkthrough(request: TranscoderVerification): Promise<VerifiedFigure[]> {
  const { model, bosId, dictionaries, encoderBiases, signal } = request;
  const { prompt, layer, feature, activation, withoutBos, replaced, edges, transcoderError, biasError } =
    published.walkthrough;
  const name = `tc${layer}[${feature}]`;
  const plain = request.encode(prompt);
  const tokens = [bosId, ...plain];
  const at = async (ids: readonly number[], interventions: readonly Intervention[]): Promise<number> =>
    (await activationsOf(request, layer, [ids], interventions)).at(feature) ?? Number.NaN;
  using frozen = await FrozenPrompt.of(model, dictionaries, tokens, { signal });
  const found = await searchPaths(frozen, { kind: 'feature', layer, position: tokens.length - 1, feature }, name, {
    iterations: 1,
    branches: MOST_TERMS,
    headBranches: MOST_TERMS,
    order: 'size',
    signal,
  });
  const root = found.byLength[0]?.[0]?.steps[0];
  const withReplaced: VerifiedFigure[] = [];
  for (const { from, to, activation: value } of replaced) {
    const replacements = dictionaries.slice(from, to + 1).map((dictionary) => dictionary.replacement());
    withReplaced.push(
      printedFigure(`${name} with the MLPs of ${from} to ${to} replaced`, value, await at(tokens, replacements)),
    );
  }
  return [
    printedFigure(`${name} of '${prompt}'`, activation, await at(tokens, [])),
    printedFigure(`${name} without BOS`, withoutBos, await at(plain, [])),
    ...withReplaced,
    ...Object.entries(edges).map(([source, value]) =>
      printedFigure(`${name} from ${source}`, value, attributionOf(found, source)),
    ),
    printedFigure(`${name}: transcoder error`, transcoderError, root?.remainder?.tcError ?? Number.NaN),
    printedFigure(`${name}: bias error`, biasError, encoderBiases[layer]?.[feature] ?? Number.NaN),
  ];
}

async function lastToken(request: TranscoderVerification): Promise<VerifiedFigure[]> {
  const { prompt, layer, activations } = published.lastToken;
  const found = await activationsOf(request, layer, [[request.bosId, ...request.encode(prompt)]], []);
  return Object.entries(activations).map(([feature, value]) =>
    printedFigure(`tc${layer}[${feature}] of '${prompt}'`, value, found[Number(feature)] ?? Number.NaN),
  );
}

async function greaterThan(request: TranscoderVerification): Promise<VerifiedFigure[]> {
  const { model, dictionaries, bosId, signal } = request;
  const { up, down, position, iterations, branches, prompts } = published.greaterThan;
  const figures: VerifiedFigure[] = [];
  for (const { prompt, paths, ends } of prompts) {
    using frozen = await FrozenPrompt.of(model, dictionaries, [bosId, ...request.encode(prompt)], { signal });
    const target = {
      kind: 'logits',
      position,
      up: request.encode(up),
      down: request.encode(down),
      demeaned: false,
    } as const;
    const found = await searchPaths(frozen, target, `${up}−${down}`, { iterations, branches, signal });
    // The notebook's direction is W_U's, without the last LayerNorm's scale.
    const scales = await model.gpu.read(frozen.final.scale.storage, 'f32');
    const scale = scales[position] ?? Number.NaN;
    const about = (what: string): string => `'${prompt}': ${what.replaceAll(' ', ' ← ')}`;
    figures.push(
      ...Object.entries(paths).map(([path, value]) =>
        printedFigure(about(path), value as string, scale * attributionOf(found, path)),
      ),
      ...Object.entries(ends).map(([end, value]) =>
        printedFigure(about(`… ${end}`), value as string, scale * bestEndingIn(found.byLength[3] ?? [], end)),
      ),
    );
  }
  return figures;
}

async function probabilityDifferences(request: TranscoderVerification): Promise<VerifiedFigure[]> {
  const { dictionaries, model, bosId } = request;
  const { prompt, layer, years, replaced, without, highestVariance, rank, kept } = published.probabilityDifference;
  const [before = '', , behind = ''] = prompt;
  const numbers = Array.from({ length: 100 }, (_, year) => String(year).padStart(2, '0'));
  const ids = numbers.map((number) => request.encode(number)[0] as number);
  const [front, back] = [request.encode(before), request.encode(behind)];
  const prompts = ids.map((id) => [bosId, ...front, id, ...back]);
  const some = prompts.slice(years.from, years.to + 1);
  const measure = async (interventions: readonly Intervention[]): Promise<number> => {
    const logits = await lastLogits(request, some, interventions);
    const V = model.info.vocabulary;
    const each = some.map((_, i) =>
      laterLessEarlier(
        ids.map((id) => logits[i * V + id] as number),
        years.from + i,
      ),
    );
    return each.reduce((sum, value) => sum + value, 0) / each.length;
  };
  const whole = dictionaries[layer] as Dictionary;
  const F = whole.config.features;
  const withFeatures = async (keeps: (feature: number) => boolean): Promise<number> => {
    const weights = await whole.weights();
    const width = whole.config.outputWidth;
    for (let feature = 0; feature < F; feature++)
      if (!keeps(feature)) weights.wDec.fill(0, feature * width, (feature + 1) * width);
    using part = Dictionary.create(model.gpu, whole.config, weights);
    return measure([part.replacement()]);
  };
  const variances = variancesOf(await activationsOf(request, layer, prompts, []), F);
  const order = Array.from(variances.keys()).sort(
    (a, b) => (variances[b] as number) - (variances[a] as number) || a - b,
  );
  const figures = [
    printedFigure('probability difference of the model', published.probabilityDifference.model, await measure([])),
    printedFigure(`… with MLP ${layer} replaced`, replaced, await measure([whole.replacement()])),
    printedFigure(
      `… without tc${layer}[${without.feature}]`,
      without.value,
      await withFeatures((feature) => feature !== without.feature),
    ),
    // They are named as the three highest, in whatever order.
    ...highestVariance.map((feature) =>
      figure(
        `tc${layer}[${feature}] is among the ${highestVariance.length} of the highest variance`,
        1,
        0,
        Number(order.indexOf(feature) < highestVariance.length),
      ),
    ),
    figure(
      `rank of tc${layer}[${rank.feature}] by variance, from 0`,
      Number(rank.from0),
      0,
      order.indexOf(rank.feature),
    ),
  ];
  for (const [count, value] of Object.entries(kept)) {
    const best = new Set(order.slice(0, Number(count)));
    figures.push(
      printedFigure(
        `… with the ${count} features of the highest variance`,
        value,
        await withFeatures((each) => best.has(each)),
      ),
    );
  }
  return figures;
}

/** Activations [prompts, F] of a layer's features at the last tokens of prompts of one length. */
async function activationsOf(
  { model, dictionaries, signal }: TranscoderVerification,
  layer: number,
  prompts: readonly (readonly number[])[],
  interventions: readonly Intervention[],
): Promise<Float32Array> {
  const dictionary = dictionaries[layer] as Dictionary;
  const [B, T] = [prompts.length, prompts[0]?.length ?? 0];
  using step = model.gpu.step({ label: 'published activations', ...(signal ? { signal } : {}) });
  const run = model.run(
    step,
    { tokens: tokenBatch(prompts, model.info) },
    { capture: [blockHook(layer, dictionary.config.input)], interventions, logits: 'none', stopAtLayer: layer + 1 },
  );
  const x = slice(step, run.at(dictionary.reads), 1, T - 1, 1);
  return readFloats(step, dictionary.encode(step, reshape(x, [B, dictionary.config.inputWidth])));
}

async function lastLogits(
  { model, signal }: TranscoderVerification,
  prompts: readonly (readonly number[])[],
  interventions: readonly Intervention[],
): Promise<Float32Array> {
  using step = model.gpu.step({ label: 'published probabilities', ...(signal ? { signal } : {}) });
  const run = model.run(step, { tokens: tokenBatch(prompts, model.info) }, { interventions, logits: 'last' });
  return readFloats(step, run.logits);
}

/** Σ_{y' > y} p − Σ_{y' ≤ y} p, p the softmax over the logits of the years alone. */
export function laterLessEarlier(logits: readonly number[], year: number): number {
  const largest = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp(logit - largest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.reduce((sum, weight, each) => sum + (each > year ? weight : -weight), 0) / total;
}

/** Variance over rows of a [N, F]. */
function variancesOf(rows: Float32Array, F: number): Float64Array {
  const count = rows.length / F;
  const [sums, squares] = [new Float64Array(F), new Float64Array(F)];
  rows.forEach((value, at) => {
    sums[at % F] = (sums[at % F] as number) + value;
    squares[at % F] = (squares[at % F] as number) + value * value;
  });
  return squares.map((square, f) => square / count - ((sums[f] as number) / count) ** 2);
}

/** What a path brings, of names with spaces between; 0 for one that is not among those found. */
function attributionOf({ byLength }: FoundPaths, path: string): number {
  const names = path.split(' ');
  const found = byLength[names.length]?.find(({ steps }) =>
    names.every((name, i) => {
      const node = steps[i + 1]?.node;
      return node !== undefined && pathNodeName(node) === name;
    }),
  );
  return found?.steps.at(-1)?.attribution ?? 0;
}

function bestEndingIn(paths: readonly ComputationalPath[], name: string): number {
  const last = paths.map(({ steps }) => steps.at(-1)).filter((step) => step && pathNodeName(step.node) === name);
  return Math.max(0, ...last.map((step) => step?.attribution ?? 0));
}

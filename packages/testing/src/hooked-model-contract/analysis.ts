// The analyses that hooks offers for every architecture: a stream is the sum of its parts, and so is a logit difference; float64 is the judge.
import {
  accumulatedResid,
  applyLnToStack,
  blockHook,
  decomposeResid,
  directLogitAttribution,
  fullResidDecomposition,
  linearMap,
  logitAttrs,
  logitLens,
  neuronLogitAttrs,
  runWithCache,
  stackHeadResults,
  stackNeuronResults,
  type ActivationCache,
  type HookedModel,
  type NormSite,
  type ResidStack,
} from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { readFloats, slice, type Tensor } from '@limn/tensor';
import { assert, expectSame, sameToRounding, type ContractCheck } from './check.js';
import { prompts } from './runs.js';

/** Σ over the first axis, in float64. */
function summed(values: ArrayLike<number>, parts: number): Float64Array {
  const size = values.length / parts;
  return Float64Array.from({ length: size }, (_, i) => {
    let total = 0;
    for (let n = 0; n < parts; n++) total += values[n * size + i] as number;
    return total;
  });
}

async function cached(model: HookedModel): Promise<ActivationCache> {
  return (await runWithCache(model, prompts(model), { names: '*', logits: 'none' })).cache;
}

async function readStack(
  step: Step,
  { labels, values }: ResidStack,
): Promise<readonly [readonly string[], Float32Array]> {
  const data = await readFloats(step, values);
  assert(values.shape[0] === labels.length, `${labels.length} labels for ${values.shape[0]} parts`);
  return [labels, data];
}

export const analysisChecks: readonly ContractCheck[] = [
  {
    name: 'a residual stream is the sum of its parts, at every layer and in every detail',
    async check(model) {
      const cache = await cached(model);
      const { layers, block } = model.info;
      for (let layer = 0; layer <= layers; layer++) {
        const step = model.gpu.step();
        const at = { layer, position: 'last' } as const;
        const pre = layer < layers ? cache.get('resid_pre', layer) : cache.get('resid_post', layers - 1);
        const cases: [what: string, parts: ResidStack, sum: Tensor][] = [
          ['components', decomposeResid(step, cache, { layer }), pre],
          ['components at the last tokens', decomposeResid(step, cache, at), cache.pick(step, pre, 'last')],
          ['heads and a remainder', stackHeadResults(step, cache, { layer, remainder: true }), pre],
          [
            'neurons and a remainder',
            stackNeuronResults(step, cache, { ...at, remainder: true }),
            cache.pick(step, pre, 'last'),
          ],
          ['heads, neurons, biases', fullResidDecomposition(step, cache, at), cache.pick(step, pre, 'last')],
          ['heads, MLPs, biases', fullResidDecomposition(step, cache, { layer, expandNeurons: false }), pre],
        ];
        if (layer < layers && block === 'sequential') {
          const mid = cache.get('resid_mid', layer);
          cases.push(['components in front of the MLP', decomposeResid(step, cache, { layer, mlpInput: true }), mid]);
          cases.push(['all in front of the MLP', fullResidDecomposition(step, cache, { layer, mlpInput: true }), mid]);
        }
        const read = await Promise.all(
          cases.map(([what, parts, sum]) => Promise.all([what, readStack(step, parts), readFloats(step, sum)])),
        );
        for (const [what, [labels, parts], sum] of read)
          expectSame(summed(parts, labels.length), sum, `layer ${layer}, ${what}`);
      }
      const step = model.gpu.step();
      const { labels } = accumulatedResid(step, cache);
      assert(
        labels.join() === [...Array.from({ length: layers }, (_, l) => `${l}_pre`), 'final_post'].join(),
        `labels are ${labels.join()}`,
      );
      step.dispose();
      cache.dispose();
    },
  },
  {
    name: 'what heads and neurons write is z·W_O and post·W_out in float64',
    async check(model) {
      const cache = await cached(model);
      const { heads: H, headWidth: K, width: C, mlpWidth: M } = model.info;
      const step = model.gpu.step();
      const rows = cache.B * cache.T;
      const writes = model.linears().find(({ input }) => input === blockHook(1, 'mlp.hook_post'));
      assert(writes !== undefined, 'linears() has no map that reads blocks.1.mlp.hook_post');
      const [results, neurons, z, post, wO, wOut] = (await Promise.all([
        readFloats(step, slice(step, stackHeadResults(step, cache).values, 0, H, H)),
        readFloats(step, slice(step, stackNeuronResults(step, cache).values, 0, M, M)),
        readFloats(step, cache.get('z', 1)),
        readFloats(step, cache.get('post', 1)),
        readFloats(step, model.headWeights(step, 1, H - 1).wO),
        readFloats(step, linearMap(step, model, writes).weight),
      ])) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
      const head = Float64Array.from({ length: rows * C }, (_, i) => {
        let total = 0;
        for (let k = 0; k < K; k++)
          total += (z[(Math.floor(i / C) * H + H - 1) * K + k] as number) * (wO[k * C + (i % C)] as number);
        return total;
      });
      expectSame(results.subarray((H - 1) * rows * C), head, 'the last head of layer 1');
      const neuron = Float64Array.from(
        { length: rows * C },
        (_, i) => (post[Math.floor(i / C) * M + 2] as number) * (wOut[2 * C + (i % C)] as number),
      );
      expectSame(neurons.subarray(2 * rows * C, 3 * rows * C), neuron, 'neuron 2 of layer 1');
      cache.dispose();
    },
  },
  {
    name: 'a stack under the recorded LayerNorm scale adds up to what the norm gives, without its β',
    async check(model) {
      const cache = await cached(model);
      const { layers, width: C } = model.info;
      const sites: [site: NormSite, options: { layer?: number; mlpInput?: boolean }][] = [
        ['ln_final', {}],
        [`blocks.${layers - 1}.ln1`, { layer: layers - 1 }],
        [`blocks.${layers - 1}.ln2`, { layer: layers - 1, mlpInput: true }],
      ];
      for (const [site, options] of sites) {
        const step = model.gpu.step();
        const parts = decomposeResid(step, cache, options);
        const { beta } = model.norm(site);
        const [scaled, whole, offset] = (await Promise.all([
          readFloats(step, applyLnToStack(step, cache, parts.values, options)),
          readFloats(step, cache.get(`${site}.hook_normalized`)),
          beta ? readFloats(step, beta) : new Float32Array(C),
        ])) as [Float32Array, Float32Array, Float32Array];
        const want = Float64Array.from(whole, (value, i) => value - (offset[i % C] as number));
        expectSame(summed(scaled, parts.labels.length), want, site);
      }
      cache.dispose();
    },
  },
  {
    name: 'direct attributions add up to the logit difference, part by part as in float64',
    async check(model) {
      const { vocabulary: V, width: C } = model.info;
      const [correct, incorrect] = [[1, 2, 3], 5 % V] as const;
      const cache = await cached(model);
      for (const by of ['component', 'head', 'neuron'] as const)
        for (const position of ['last', 1] as const) {
          const { labels, values, logits } = await directLogitAttribution(model, prompts(model), {
            correct,
            incorrect,
            by,
            position,
          });
          assert(labels.at(-1) === 'constant', `the last label is ${labels.at(-1)}`);
          expectSame(summed(values.data, labels.length), logits.data, `${by} at ${position}`, 3 * sameToRounding);
        }
      const fine = model.gpu.step();
      const answers = { correct, incorrect, position: 'last' } as const;
      const vectors = stackNeuronResults(fine, cache, { position: 'last' }).values;
      const [short, long] = await Promise.all([
        readFloats(fine, neuronLogitAttrs(fine, cache, answers)),
        readFloats(fine, logitAttrs(fine, cache, vectors, answers)),
      ]);
      expectSame(short, long, 'neurons without their vectors');
      const named = await directLogitAttribution(model, prompts(model), { correct, incorrect, by: 'neuron' });
      const full = fullResidDecomposition(model.gpu.step(), cache, { position: 'last' });
      assert(
        named.labels.slice(0, -1).join() === full.labels.join(),
        'the order of heads, neurons, embeddings and bias',
      );
      const single = await directLogitAttribution(model, prompts(model), { correct: 4 });
      expectSame(summed(single.values.data, single.labels.length), single.logits.data, 'one logit', 3 * sameToRounding);

      // Float64 from what the run recorded: (x − mean)/s∘γ · (w_correct − w_incorrect).
      const step = model.gpu.step();
      const { centred, gamma } = model.norm('ln_final');
      const stack = decomposeResid(step, cache, { position: 'last' });
      const [parts, scale, weights, up, down] = (await Promise.all([
        readFloats(step, stack.values),
        readFloats(step, cache.pick(step, cache.get('ln_final.scale'), 'last')),
        readFloats(step, gamma),
        readFloats(step, model.unembedRows(step, correct)),
        readFloats(step, model.unembedRows(step, [incorrect])),
      ])) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
      const B = cache.B;
      const want = Float64Array.from({ length: stack.labels.length * B }, (_, i) => {
        const row = parts.subarray(i * C, (i + 1) * C);
        const b = i % B;
        const mean = centred ? row.reduce((sum, value) => sum + value, 0) / C : 0;
        let total = 0;
        for (let c = 0; c < C; c++)
          total +=
            (((row[c] as number) - mean) / (scale[b] as number)) *
            (weights[c] as number) *
            ((up[b * C + c] as number) - (down[c] as number));
        return total;
      });
      const { values } = await directLogitAttribution(model, prompts(model), { correct, incorrect });
      expectSame(values.data.subarray(0, want.length), want, 'parts');
      cache.dispose();
    },
  },
  {
    name: 'the logit lens reads every stream with the model’s own head; its last line is the model’s answer',
    async check(model) {
      const { layers, vocabulary: V } = model.info;
      const { cache, logits } = await runWithCache(model, prompts(model), { names: ['resid_pre'] });
      const all = await logitLens(model, prompts(model), { position: 'all' });
      assert(
        all.logits.shape.join() === [layers + 1, cache.B, cache.T, V].join(),
        `shape [${all.logits.shape.join()}] of ${all.labels.join()}`,
      );
      expectSame(all.logits.data.subarray(layers * logits.data.length), logits.data, 'the last stream');
      const step = model.gpu.step();
      const first = await readFloats(step, model.logits(step, cache.get('resid_pre', 1)));
      expectSame(
        all.logits.data.subarray(logits.data.length, 2 * logits.data.length),
        first,
        'the stream before layer 1',
      );
      const last = await logitLens(model, prompts(model));
      const own = await runWithCache(model, prompts(model), { logits: 'last' });
      expectSame(last.logits.data.subarray(layers * cache.B * V), own.logits.data, 'the last tokens');
      cache.dispose();
    },
  },
];

// What the parts of a model promise: put together they are the run, and its weights are those that the run uses.
import { linearMap, withAdapter, type Run } from '@limn/hooks';
import { add, concat, fromData, matmul, readFloats, reshape, slice, sub, sum, type Tensor } from '@limn/tensor';
import { assert, expectSame, sameToRounding, type ContractCheck } from './check.js';
import { even, logitsOf } from './runs.js';

/** For embeddings, attention, MLPs, linear maps and head weights. */
export const componentChecks: readonly ContractCheck[] = [
  {
    name: 'the components put together are the run',
    async check(model) {
      const step = model.gpu.step();
      const lengths = [5, 5];
      let x = add(step, model.embed(step, even(model)), model.positions(step, lengths, 5));
      for (let l = 0; l < model.info.layers; l++) {
        const results = model.attention(step, l, { q: x, k: x, v: x }, { lengths });
        const mid = add(step, add(step, x, sum(step, results, { axes: 2 })), model.attentionBias(l));
        x = add(step, mid, model.mlp(step, l, model.info.block === 'sequential' ? mid : x));
      }
      const rows = readFloats(step, model.logits(step, x, [4, 9]));
      const all = await readFloats(step, model.logits(step, x));
      const V = model.info.vocabulary;
      expectSame(all, await logitsOf(model), 'logits of the components');
      expectSame(await rows, [...all.subarray(4 * V, 5 * V), ...all.subarray(9 * V, 10 * V)], 'chosen rows');
    },
  },
  {
    name: 'attention with an input per head, and for some heads only, agrees with attention on a shared input',
    async check(model) {
      const { heads: H } = model.info;
      const step = model.gpu.step();
      const x = model.run(step, { tokens: even(model) }, { stopAtLayer: 1 }).resid;
      const wide = (h: number): Tensor =>
        concat(
          step,
          Array.from({ length: h }, () => reshape(x, [2, 5, 1, model.info.width])),
          2,
        );
      const shared = model.attention(step, 1, { q: x, k: x, v: x });
      const split = model.attention(step, 1, { q: wide(H), k: wide(H), v: x });
      const some = [H - 1, 0];
      const chosen = model.attention(step, 1, { q: wide(2), k: x, v: wide(2) }, { heads: some });
      const picked = concat(
        step,
        some.map((head) => slice(step, shared, 2, head, 1)),
        2,
      );
      const [a, b, c, d] = (await Promise.all(
        [shared, split, chosen, picked].map((tensor) => readFloats(step, tensor)),
      )) as [Float32Array, Float32Array, Float32Array, Float32Array];
      expectSame(b, a, 'one input per head');
      expectSame(c, d, 'two heads in reverse order');
    },
  },
  {
    name: 'every linear map is what it says: y − x·W is one bias for all rows, and a low-rank change acts as x·A·B',
    async check(model) {
      for (const linear of model.linears().filter(({ layer }) => layer === 0)) {
        const step = model.gpu.step();
        const { weight } = linearMap(step, model, linear);
        assert(
          weight.shape.join() === [linear.inWidth, linear.outWidth].join(),
          `${linear.name}: W is [${weight.shape.join(', ')}], expected [${linear.inWidth}, ${linear.outWidth}]`,
        );
        const rank = 2;
        const a = fromData(
          step,
          Float32Array.from({ length: linear.inWidth * rank }, (_, i) => Math.cos(i) / 4),
          [linear.inWidth, rank],
        );
        const low = fromData(
          step,
          Float32Array.from({ length: rank * linear.outWidth }, (_, i) => Math.sin(i * 1.7) / 4),
          [rank, linear.outWidth],
        );
        const capture = [linear.input, ...linear.outputs];
        const join = (run: Run): Tensor =>
          concat(
            step,
            linear.outputs.map((name) => reshape(run.at(name), [10, linear.outWidth / linear.outputs.length])),
            1,
          );
        const plain = model.run(step, { tokens: even(model) }, { capture });
        const edits = withAdapter('test', [{ linear, a, b: low, factor: 0.5 }]);
        const adapted = model.run(step, { tokens: even(model) }, { capture, interventions: edits });
        const x = reshape(plain.at(linear.input), [10, linear.inWidth]);
        const rest = readFloats(step, sub(step, join(plain), matmul(step, x, weight)));
        const values = readFloats(step, weight);
        const moved = readFloats(step, sub(step, join(adapted), join(plain)));
        const wanted = readFloats(step, matmul(step, matmul(step, x, a), low));
        const bias = (await rest).subarray(0, linear.outWidth);
        const size = Math.hypot(...(await values).subarray(0, linear.outWidth)) + Math.hypot(...bias);
        (await rest).forEach((value, i) =>
          assert(
            Math.abs(value - (bias[i % linear.outWidth] as number)) <= 1e-4 * (1 + size),
            `${linear.name}: y − x·W differs between rows`,
          ),
        );
        expectSame(
          await moved,
          (await wanted).map((value) => value * 0.5),
          `${linear.name} with an adapter`,
          10 * sameToRounding,
        );
      }
    },
  },
  {
    name: 'head weights and unembedding rows are those the run uses',
    async check(model) {
      const { headWidth: K, heads: H, width: C, vocabulary: V } = model.info;
      const step = model.gpu.step();
      const run = model.run(
        step,
        { tokens: even(model) },
        {
          capture: [
            'blocks.0.ln1.hook_normalized',
            'blocks.0.attn.hook_q',
            'blocks.0.attn.hook_z',
            'blocks.0.attn.hook_result',
            'ln_final.hook_normalized',
          ],
        },
      );
      const { wQ, bQ, wO } = model.headWeights(step, 0, 1);
      const q = readFloats(
        step,
        add(step, matmul(step, reshape(run.at('blocks.0.ln1.hook_normalized'), [10, C]), wQ), bQ),
      );
      const result = readFloats(
        step,
        matmul(step, reshape(slice(step, run.at('blocks.0.attn.hook_z'), 2, 1, 1), [10, K]), wO),
      );
      const logits = readFloats(
        step,
        matmul(step, reshape(run.at('ln_final.hook_normalized'), [10, C]), model.unembedRows(step, [2, 0]), {
          transposeB: true,
        }),
      );
      const unbiased = model.unembedBias ? sub(step, run.logits, model.unembedBias) : run.logits;
      const [allQ, allResults, allLogits] = (await Promise.all(
        [run.at('blocks.0.attn.hook_q'), run.at('blocks.0.attn.hook_result'), unbiased].map((tensor) =>
          readFloats(step, tensor),
        ),
      )) as [Float32Array, Float32Array, Float32Array];
      const ofHead = (x: Float32Array, width: number): Float32Array =>
        Float32Array.from(
          { length: 10 * width },
          (_, i) => x[(Math.floor(i / width) * H + 1) * width + (i % width)] as number,
        );
      expectSame(await q, ofHead(allQ, K), 'hook_q from W_Q and b_Q');
      expectSame(await result, ofHead(allResults, C), 'hook_result from W_O');
      expectSame(
        await logits,
        Float32Array.from({ length: 20 }, (_, i) => allLogits[Math.floor(i / 2) * V + (i % 2 === 0 ? 2 : 0)] as number),
        'logits from unembedding rows',
      );
    },
  },
  {
    name: 'a normalisation is its scale and what norm() says of it',
    async check(model) {
      const { width: C } = model.info;
      for (const [site, from] of [
        ['blocks.1.ln1', 'blocks.1.hook_resid_pre'],
        ['blocks.1.ln2', 'blocks.1.hook_mlp_in'],
        ['ln_final', 'blocks.1.hook_resid_post'],
      ] as const) {
        const step = model.gpu.step();
        const capture = [from, `${site}.hook_scale`, `${site}.hook_normalized`] as const;
        const run = model.run(step, { tokens: even(model) }, { capture });
        const { centred, gamma, beta } = model.norm(site);
        const [x, scales, got, weights, bias] = (await Promise.all([
          ...capture.map((name) => readFloats(step, run.at(name))),
          readFloats(step, gamma),
          beta ? readFloats(step, beta) : new Float32Array(C),
        ])) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
        const want = x.map((value, i) => {
          const row = x.subarray(C * Math.floor(i / C), C * Math.floor(i / C) + C);
          const mean = centred ? row.reduce((sum, each) => sum + each, 0) / C : 0;
          return (
            ((value - mean) / (scales[Math.floor(i / C)] as number)) * (weights[i % C] as number) +
            (bias[i % C] as number)
          );
        });
        expectSame(got, want, `${site}.hook_normalized from its parts`);
      }
    },
  },
];

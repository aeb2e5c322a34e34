// What every HookedModel must do, as checks that any test runner can call: methods rely on nothing else.
import { LimnError, type Step } from '@limn/gpu';
import {
  ablate, add as addEdit, blockHook, freeze, hookNames, intervene, patch, scale as scaleEdit, tokenBatch, tryParseHookName, withAdapter,
  type HookedModel, type HookName, type Intervention, type Run, type RunOptions,
} from '@limn/hooks'; // prettier-ignore
import {
  add,
  concat,
  fromData,
  gradients,
  matmul,
  mul,
  readFloats,
  reshape,
  slice,
  sub,
  sum,
  Tensor,
} from '@limn/tensor';

/** One promise of the interface. Throws when it is broken. */
export interface ContractCheck {
  readonly name: string;
  check(model: HookedModel): Promise<void>;
}

/** Relative distance of two results that differ only in the order of f32 sums: √n·2⁻²⁴ for n up to about 10⁴ roundings in a row. */
const sameToRounding = 1e-5;

function assert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

function expectSame(a: ArrayLike<number>, b: ArrayLike<number>, what: string, within = sameToRounding): void {
  assert(a.length === b.length, `${what}: ${a.length} values against ${b.length}`);
  let apart = 0;
  let size = 0;
  for (let i = 0; i < a.length; i++) {
    apart += ((a[i] as number) - (b[i] as number)) ** 2;
    size += (b[i] as number) ** 2;
  }
  const distance = Math.sqrt(apart / Math.max(size, 1e-12));
  assert(distance <= within, `${what}: relative distance ${distance}, allowed ${within}`);
}

const different = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  Array.from(a).some((value, i) => value !== b[i]);

function refused(code: string, act: () => unknown, mentions = ''): void {
  try {
    act();
  } catch (error) {
    assert(error instanceof LimnError && error.code === code, `expected ${code}, got ${String(error)}`);
    assert(
      `${error.message} ${error.hint ?? ''}`.includes(mentions),
      `${code}: "${error.message} ${error.hint ?? ''}" does not mention ${mentions}`,
    );
    return;
  }
  throw new Error(`expected ${code}, but nothing was thrown`);
}

/** Prompts of 5, 3 and 4 tokens. */
function prompts(model: HookedModel): number[][] {
  const id = (i: number): number => (i * 7 + 3) % model.info.vocabulary;
  return [[1, 2, 3, 4, 5].map(id), [6, 7, 8].map(id), [9, 10, 11, 12].map(id)];
}

/** One equal-length batch of two prompts. */
const even = (model: HookedModel) =>
  tokenBatch(
    prompts(model)
      .slice(0, 2)
      .map((row) => [...row, 0, 0].slice(0, 5)),
    model.info,
  );

async function logitsOf(model: HookedModel, options: RunOptions = {}): Promise<Float32Array> {
  const step = model.gpu.step();
  return readFloats(step, model.run(step, { tokens: even(model) }, options).logits);
}

const seedLike = (step: Step, x: Tensor): Tensor =>
  fromData(
    step,
    Float32Array.from({ length: x.size }, (_, i) => Math.sin(i + 1)),
    x.shape,
  );

export const hookedModelContract: readonly ContractCheck[] = [
  {
    name: 'every site can be captured, has its shape, and capturing changes nothing',
    async check(model) {
      const plain = await logitsOf(model);
      const { info } = model;
      const [B, T] = [2, 5];
      const sizes: Record<string, number> = {
        B,
        T,
        S: T,
        C: info.width,
        H: info.heads,
        K: info.headWidth,
        M: info.mlpWidth,
        '1': 1,
      };
      const step = model.gpu.step();
      const run = model.run(step, { tokens: even(model) }, { capture: hookNames(info) });
      for (const name of hookNames(info)) {
        const shape = [...(tryParseHookName(name)?.axes ?? '')].map((axis) => sizes[axis]);
        assert(
          run.at(name).shape.join() === shape.join(),
          `${name} has shape [${run.at(name).shape.join(', ')}], expected [${shape.join(', ')}]`,
        );
      }
      expectSame(await readFloats(step, run.logits), plain, 'logits with every site captured');
    },
  },
  {
    name: 'tokens, embeddings and the residual stream lead to the same logits',
    async check(model) {
      const plain = await logitsOf(model);
      const step = model.gpu.step();
      const lengths = [5, 5];
      const fromEmbeddings = model.run(
        step,
        { embeddings: model.embed(step, even(model)), lengths },
        { capture: ['blocks.1.hook_resid_pre', 'blocks.0.hook_resid_post'] },
      );
      const resid = fromEmbeddings.at('blocks.1.hook_resid_pre');
      const fromLayer1 = model.run(step, { resid, layer: 1, at: 'pre', lengths });
      const stopped = model.run(step, { tokens: even(model) }, { stopAtLayer: 1 });
      const reads = [fromEmbeddings.logits, fromLayer1.logits, resid, stopped.resid].map((tensor) =>
        readFloats(step, tensor),
      );
      const [a, b, atLayer1, stoppedThere] = (await Promise.all(reads)) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      expectSame(a, plain, 'from embeddings');
      expectSame(b, plain, 'from the residual stream at layer 1');
      expectSame(stoppedThere, atLayer1, 'stopping before layer 1');
      if (model.info.block === 'sequential') {
        const again = model.gpu.step();
        const whole = model.run(again, { tokens: even(model) }, { capture: ['blocks.1.hook_resid_mid'] });
        const fromMid = model.run(again, { resid: whole.at('blocks.1.hook_resid_mid'), layer: 1, at: 'mid', lengths });
        expectSame(await readFloats(again, fromMid.logits), plain, 'from the middle of layer 1');
      }
    },
  },
  {
    name: 'logits at chosen rows are rows of all logits, and padding changes nothing at real positions',
    async check(model) {
      const rows = prompts(model);
      const tokens = tokenBatch(rows, model.info);
      const V = model.info.vocabulary;
      const step = model.gpu.step();
      const all = readFloats(step, model.run(step, { tokens }).logits);
      const last = readFloats(step, model.run(step, { tokens }, { logits: 'last' }).logits);
      const chosen = readFloats(step, model.run(step, { tokens }, { logits: [7, 0] }).logits);
      const seen = model.run(step, { tokens }, { logits: [7, 0], capture: ['ln_final.hook_normalized'] });
      const chosenSeen = readFloats(step, seen.logits);
      const row = (values: Float32Array, r: number): Float32Array => values.subarray(r * V, (r + 1) * V);
      for (const [b, prompt] of rows.entries()) {
        expectSame(row(await last, b), row(await all, b * tokens.T + prompt.length - 1), `last row of prompt ${b}`);
        const alone = model.gpu.step();
        const single = await readFloats(alone, model.run(alone, { tokens: tokenBatch([prompt], model.info) }).logits);
        expectSame(
          single,
          (await all).subarray(b * tokens.T * V, (b * tokens.T + prompt.length) * V),
          `prompt ${b} alone`,
        );
      }
      expectSame(row(await chosen, 0), row(await all, 7), 'flat row 7');
      expectSame(row(await chosen, 1), row(await all, 0), 'flat row 0');
      expectSame(await chosenSeen, await chosen, 'rows with ln_final captured');
    },
  },
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
    name: 'pullback gives the gradient at each slot, and branches add up to the gradient of the stream',
    async check(model) {
      const { info } = model;
      const layer = 1;
      const b = `blocks.${layer}.` as const;
      const step = model.gpu.step();
      const qkv = [`${b}attn.hook_q`, `${b}attn.hook_k`, `${b}attn.hook_v`] as const;
      const shared = model.run(
        step,
        { tokens: even(model) },
        { capture: [...qkv, ...model.pullbackCaptures(layer)], logits: 'last' },
      );
      const seed = seedLike(step, shared.logits);
      const [q, k, v] = gradients(
        step,
        shared.logits,
        seed,
        qkv.map((name) => shared.at(name)),
      ) as [Tensor, Tensor, Tensor];
      const pulled = readFloats(step, model.pullback(step, layer, { q, k, v }, shared));
      const oneHead = readFloats(step, model.pullback(step, layer, { q, k, v }, shared, { start: 1, count: 1 }));
      const slots = [`${b}hook_q_input`, `${b}hook_k_input`, `${b}hook_v_input`] as const;
      const pass: HookName = info.block === 'sequential' ? `${b}hook_resid_mid` : `${b}hook_resid_post`;
      const capture = [...slots, `${b}hook_resid_pre`, `${b}hook_mlp_in`, pass] as const;
      const split = model.run(step, { tokens: even(model) }, { capture, logits: 'last' });
      const targets = gradients(
        step,
        split.logits,
        seed,
        capture.map((name) => split.at(name)),
      );
      const values = await Promise.all(targets.map((target) => readFloats(step, target)));
      const [B, T, C, H] = [2, 5, info.width, info.heads];
      const got = await pulled;
      const bySlot = slots.map((_, s) =>
        Float32Array.from({ length: B * T * H * C }, (_unused, i) => {
          const [c, h, bt] = [i % C, Math.floor(i / C) % H, Math.floor(i / (C * H))];
          return got[((s * H + h) * B * T + bt) * C + c] as number;
        }),
      );
      slots.forEach((name, s) =>
        expectSame(bySlot[s] as Float32Array, values[s] as Float32Array, `pullback at ${name}`, 10 * sameToRounding),
      );
      const one = await oneHead;
      for (let s = 0; s < 3; s++)
        expectSame(
          one.subarray(s * B * T * C, (s + 1) * B * T * C),
          got.subarray((s * H + 1) * B * T * C, (s * H + 2) * B * T * C),
          `pullback of head 1, slot ${s}`,
        );
      const [stream, mlpIn, onward] = values.slice(3) as [Float32Array, Float32Array, Float32Array];
      const total = Float32Array.from(onward, (value, i) => {
        const [bt, c] = [Math.floor(i / C), i % C];
        let add = value + (info.block === 'parallel' ? (mlpIn[i] as number) : 0);
        for (let s = 0; s < 3; s++) for (let h = 0; h < H; h++) add += values[s]?.[(bt * H + h) * C + c] as number;
        return add;
      });
      expectSame(total, stream, 'Σ of the branches', 10 * sameToRounding);
    },
  },
  {
    name: 'every linear map is what it says: y − x·W is one bias for all rows, and a low-rank change acts as x·A·B',
    async check(model) {
      for (const linear of model.linears().filter(({ layer }) => layer === 0)) {
        const step = model.gpu.step();
        const weight = model.parameters().get(`${linear.name}.weight`);
        assert(weight instanceof Tensor, `parameters() has no ${linear.name}.weight`);
        assert(linear.orientation === 'in-out', `${linear.name} is stored [out, in]`);
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
        const moved = readFloats(step, sub(step, join(adapted), join(plain)));
        const wanted = readFloats(step, matmul(step, matmul(step, x, a), low));
        const bias = (await rest).subarray(0, linear.outWidth);
        const size =
          Math.hypot(...(await readFloats(model.gpu.step(), weight)).subarray(0, linear.outWidth)) +
          Math.hypot(...bias);
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
    name: 'interventions hold in order, in their rows and positions only, and are counted',
    async check(model) {
      const site: HookName = 'blocks.0.hook_mlp_out';
      const step = model.gpu.step();
      const plain = model.run(step, { tokens: even(model) }, { capture: [site] });
      const C = model.info.width;
      const vector = fromData(step, new Float32Array(C).fill(1), [C]);
      const run = (...interventions: Intervention[]): Run =>
        model.run(step, { tokens: even(model) }, { capture: [site], interventions, rows: { start: 4, count: 2 } });
      const first = run(scaleEdit(site, 2), addEdit(site, vector));
      const second = run(addEdit(site, vector), scaleEdit(site, 2));
      const limited = run(ablate(site, 'zero', { rows: [5], positions: [0, 2] }));
      const nowhere = run(
        ablate(site, 'zero', { rows: [0] }),
        ablate(site, 'zero', { positions: [99] }),
        ablate(site, 'zero', { phase: 'generated' }),
      );
      const own = run(patch(site, plain.at(site)), freeze(site));
      const values = await Promise.all(
        [plain, first, second, limited, nowhere, own].map((each) => readFloats(step, each.at(site))),
      );
      const [base, scaledThenAdded, addedThenScaled, part, untouched, same] = values as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      expectSame(
        scaledThenAdded,
        base.map((v) => 2 * v + 1),
        'scale, then add',
      );
      expectSame(
        addedThenScaled,
        base.map((v) => 2 * (v + 1)),
        'add, then scale',
      );
      const off = (i: number): boolean => Math.floor(i / C) === 5 || Math.floor(i / C) === 7;
      assert(
        !different(
          part,
          base.map((v, i) => (off(i) ? 0 : v)),
        ),
        'a limited edit changed something else, or missed its place',
      );
      assert(!different(untouched, base) && !different(same, base), 'an edit that holds nowhere changed something');
      assert(
        nowhere.fired === 0 && nowhere.skipped.map(({ reason }) => reason).join() === 'row,position,phase',
        'skipped edits are not counted',
      );
      assert(limited.fired === 1 && first.fired === 2, 'fired edits are not counted');
    },
  },
  {
    name: 'every site can be edited, and the edit reaches the logits',
    async check(model) {
      const plain = await logitsOf(model);
      for (const name of hookNames(model.info).filter((each) => !each.startsWith('blocks.1'))) {
        // Adding a position-dependent amount changes even sites that a constant shift cannot, such as attention scores.
        const edit = intervene(name, `ramp at ${name}`, (x, ctx) => mul(ctx.step, x, seedLike(ctx.step, x)));
        assert(
          different(await logitsOf(model, { interventions: [edit] }), plain),
          `an edit at ${name} changed nothing`,
        );
      }
    },
  },
  {
    name: 'cached decoding gives the logits of the whole sequence',
    async check(model) {
      const tokens = even(model);
      const cut = (from: number, to: number) =>
        tokenBatch(
          [0, 1].map((b) => Array.from(tokens.ids.subarray(b * 5 + from, b * 5 + to))),
          model.info,
        );
      const edits = [scaleEdit('blocks.0.hook_attn_out', 3, { positions: [1, 4] })];
      const V = model.info.vocabulary;
      const whole = await logitsOf(model, { interventions: edits });
      let step = model.gpu.step();
      let { run, cache } = model.prefill(step, cut(0, 3), { interventions: edits, logits: 'last' });
      for (let t = 3; ; t++) {
        const got = await readFloats(step, run.logits);
        for (const b of [0, 1])
          expectSame(
            got.subarray(b * V, (b + 1) * V),
            whole.subarray((b * 5 + t - 1) * V, (b * 5 + t) * V),
            `row ${b}, position ${t - 1}`,
          );
        assert(cache.length === t, `the cache holds ${cache.length} positions instead of ${t}`);
        if (t === 5) break;
        const before = cache;
        step = model.gpu.step();
        ({ run, cache } = model.decode(step, cut(t, t + 1), before, { interventions: edits, logits: 'last' }));
        before.dispose();
      }
      cache.dispose();
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
      const [allQ, allResults, allLogits] = (await Promise.all(
        [run.at('blocks.0.attn.hook_q'), run.at('blocks.0.attn.hook_result'), run.logits].map((tensor) =>
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
    name: 'the same run has the same bits, and makes no new buffer, bind group or pipeline',
    async check(model) {
      const options: RunOptions = { interventions: [scaleEdit('blocks.0.attn.hook_pattern', 0.5)], logits: 'last' };
      const first = await logitsOf(model, options);
      const before = model.gpu.counters.snapshot();
      const second = await logitsOf(model, options);
      const after = model.gpu.counters.snapshot();
      assert(!different(first, second), 'two equal runs differ');
      for (const key of ['buffersCreated', 'bindGroupsCreated', 'pipelinesCreated', 'plansCreated'] as const) {
        assert(after[key] === before[key], `a repeated run changed ${key} from ${before[key]} to ${after[key]}`);
      }
    },
  },
  {
    name: 'impossible requests are refused before any work, with a cure',
    async check(model) {
      const step = model.gpu.step();
      const tokens = even(model);
      const { layers, maxPositions, vocabulary } = model.info;
      const run =
        (options: RunOptions): (() => Run) =>
        () =>
          model.run(step, { tokens }, options);
      const site: HookName = 'blocks.0.hook_mlp_out';
      refused('hooks/unknown-site', run({ capture: ['blocks.0.hook_mpl_out' as HookName] }), 'blocks.0.hook_mlp_out');
      refused('hooks/unknown-site', run({ capture: [blockHook(layers, 'hook_mlp_out')] }), `blocks 0–${layers - 1}`);
      refused('hooks/unreachable-site', run({ capture: ['blocks.1.hook_mlp_out'], stopAtLayer: 1 }));
      refused('hooks/unreachable-site', run({ interventions: [scaleEdit('ln_final.hook_scale', 2)], logits: 'none' }));
      refused(
        'hooks/late-read',
        run({ interventions: [intervene(site, 'late', (x) => x, { reads: ['blocks.0.hook_resid_post'] })] }),
      );
      refused(
        'hooks/undeclared-read',
        run({ interventions: [intervene(site, 'sly', (_x, ctx) => ctx.at('hook_embed'))] }),
        'reads',
      );
      refused('hooks/wrong-shape', run({ interventions: [intervene(site, 'flat', (x) => reshape(x, [x.size]))] }));
      refused('hooks/wrong-shape', run({ interventions: [patch(site, fromData(step, [1, 2, 3], [3]))] }));
      refused(
        'hooks/conflicting-sites',
        run({ interventions: [scaleEdit('blocks.0.hook_q_input', 2), scaleEdit('blocks.0.ln1.hook_scale', 2)] }),
      );
      refused('hooks/no-logits', () => run({ stopAtLayer: 1 })().logits);
      refused('hooks/not-captured', () => run({ capture: [site] })().at('hook_embed'), 'capture');
      refused('hooks/bad-rows', run({ logits: [10] }), '0 to 9');
      refused('hooks/bad-rows', run({ logits: 'last', stopAtLayer: 1 }));
      refused('hooks/bad-layer', run({ stopAtLayer: layers + 1 }));
      refused('tokens/not-in-vocabulary', () => tokenBatch([[0, vocabulary]], model.info), 'position 1');
      refused('tokens/too-long', () => tokenBatch([Array.from({ length: maxPositions + 1 }, () => 0)], model.info));
      refused('tokens/empty', () => tokenBatch([[]], model.info));
    },
  },
];

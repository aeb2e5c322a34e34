// What a forward pass promises: every site, every place to start from, rows of logits, repeated runs.
import { hookNames, scale, tokenBatch, tryParseHookName, type RunOptions } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { assert, different, expectSame, type ContractCheck } from './check.js';
import { even, logitsOf, prompts } from './runs.js';

/** For what a run gives. */
export const forwardChecks: readonly ContractCheck[] = [
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
    name: 'the same run has the same bits, and makes no new buffer, bind group or pipeline',
    async check(model) {
      const options: RunOptions = { interventions: [scale('blocks.0.attn.hook_pattern', 0.5)], logits: 'last' };
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
];

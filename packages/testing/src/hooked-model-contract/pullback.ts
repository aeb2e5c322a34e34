// What pullback promises: the gradient at the input of every head, from those of queries, keys and values.
import { type HookName } from '@limn/hooks';
import { gradients, readFloats, Tensor } from '@limn/tensor';
import { expectSame, sameToRounding, type ContractCheck } from './check.js';
import { even, seedLike } from './runs.js';

/** For all heads at once, and for one. */
export const pullbackChecks: readonly ContractCheck[] = [
  {
    name: 'pullback gives the gradient at each slot, summed over repeats on request, and branches add up to the gradient of the stream',
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
      const oneHead = readFloats(
        step,
        model.pullback(step, layer, { q, k, v }, shared, { heads: { start: 1, count: 1 } }),
      );
      const bothRows = readFloats(step, model.pullback(step, layer, { q, k, v }, shared, { repeats: 2 }));
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
      const summed = Float32Array.from({ length: got.length / B }, (_unused, i) => {
        const at = Math.floor(i / (T * C)) * B * T * C + (i % (T * C));
        return (got[at] as number) + (got[at + T * C] as number);
      });
      expectSame(await bothRows, summed, 'pullback summed over two repeats', sameToRounding);
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
];

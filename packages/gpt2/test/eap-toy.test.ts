// The toy model of the EAP check, given in closed form: its logits and losses in float64 are known to ten digits.
import { tokenBatch } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import { formatConfig, loadGpt2, memoryFiles, newConfig, writeSafetensors, type WritableTensor } from '../src/index.js';

const [C, H, K, M, V] = [8, 2, 4, 16, 11];
/** Weight tensor number `salt`: plus + amplitude·sin(12.9898·(i + 1) + 78.233·salt), row-major. */
const wave = (size: number, salt: number, amplitude: number, plus = 0): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => plus + amplitude * Math.sin(12.9898 * (i + 1) + 78.233 * salt));

function toyFile(): Uint8Array {
  const tensors = new Map<string, WritableTensor>();
  const put = (name: string, shape: readonly number[], data: Float32Array): void =>
    void tensors.set(`transformer.${name}`, { shape, data });
  put('wte.weight', [V, C], wave(V * C, 1, 0.8));
  put('wpe.weight', [5, C], wave(5 * C, 2, 0.3));
  for (const l of [0, 1]) {
    const salt = 3 + 16 * l;
    const h = `h.${l}.`;
    // W_X[head, C, K] become columns of c_attn: q‖k‖v, then head, then K.
    const [weight, bias] = [new Float32Array(3 * C * C), new Float32Array(3 * C)];
    for (const x of [0, 1, 2]) {
      const [w, b] = [wave(H * C * K, salt + 2 + 2 * x, 1.2), wave(H * K, salt + 3 + 2 * x, 0.1)];
      bias.set(b, x * C);
      w.forEach((value, i) => {
        const [head, row, column] = [Math.floor(i / (C * K)), Math.floor(i / K) % C, i % K];
        weight[row * 3 * C + x * C + head * K + column] = value;
      });
    }
    put(`${h}ln_1.weight`, [C], wave(C, salt, 0.2, 1));
    put(`${h}ln_1.bias`, [C], wave(C, salt + 1, 0.1));
    put(`${h}attn.c_attn.weight`, [C, 3 * C], weight);
    put(`${h}attn.c_attn.bias`, [3 * C], bias);
    put(`${h}attn.c_proj.weight`, [C, C], wave(C * C, salt + 8, 1.2));
    put(`${h}attn.c_proj.bias`, [C], wave(C, salt + 9, 0.1));
    put(`${h}ln_2.weight`, [C], wave(C, salt + 10, 0.2, 1));
    put(`${h}ln_2.bias`, [C], wave(C, salt + 11, 0.1));
    put(`${h}mlp.c_fc.weight`, [C, M], wave(C * M, salt + 12, 0.6));
    put(`${h}mlp.c_fc.bias`, [M], wave(M, salt + 13, 0.1));
    put(`${h}mlp.c_proj.weight`, [M, C], wave(M * C, salt + 14, 0.5));
    put(`${h}mlp.c_proj.bias`, [C], wave(C, salt + 15, 0.1));
  }
  put('ln_f.weight', [C], wave(C, 35, 0.2, 1));
  put('ln_f.bias', [C], wave(C, 36, 0.1));
  const unembed = wave(C * V, 37, 0.8);
  tensors.set('lm_head.weight', {
    shape: [V, C],
    data: Float32Array.from({ length: V * C }, (_, i) => unembed[(i % C) * V + Math.floor(i / C)] as number),
  });
  return writeSafetensors(tensors);
}

test('the clean logits and both losses are the golden ones', async () => {
  const gpu = await testGpu();
  const config = newConfig({ vocabulary: V, maxPositions: 5, width: C, layers: 2, heads: H, mlpWidth: M, tied: false });
  const { model } = await loadGpt2(
    gpu,
    memoryFiles({ 'config.json': formatConfig(config), 'model.safetensors': toyFile() }),
  );
  const step = gpu.step();
  const tokens = tokenBatch(
    [
      [1, 4, 7, 2, 9],
      [1, 4, 3, 2, 9],
    ],
    model.info,
  ); // clean, corrupted
  const logits = await readFloats(step, model.run(step, { tokens }, { logits: 'last' }).logits);
  const golden = [
    -0.9408431491, -1.4306857744, -1.6678269606, -1.6103805578, -1.2684933002, -0.7025525936, -0.0125203117,
    0.6797234277, 1.251907898, 1.602968392, 1.6708972391,
  ];
  // Logits of order 1 behind a few hundred f32 roundings.
  golden.forEach((value, id) => expect(logits[id]).toBeCloseTo(value, 5));
  const loss = (row: number): number => -((logits[row * V + 8] as number) - (logits[row * V + 5] as number));
  expect(loss(0)).toBeCloseTo(-1.9544604916, 5);
  expect(loss(1)).toBeCloseTo(-1.9481662416, 5);
  model.dispose();
});

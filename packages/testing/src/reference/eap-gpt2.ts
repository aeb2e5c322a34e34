// A reference model as the files of a GPT-2: Hugging Face's names and layout, Conv1D [in, out], c_attn's columns q‖k‖v, heads inside.
import type { EapModel } from './eap-model.js';

/** config.json, and every tensor of model.safetensors in f32. */
export function gpt2FilesOf(model: EapModel): {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;
} {
  const { layers, heads, width, headWidth, mlpWidth, vocabulary, positions } = model.sizes;
  const config = {
    model_type: 'gpt2',
    activation_function: 'gelu_new',
    n_layer: layers,
    n_head: heads,
    n_embd: width,
    n_inner: mlpWidth,
    n_positions: positions,
    vocab_size: vocabulary,
    layer_norm_epsilon: model.epsilon,
    tie_word_embeddings: false,
  };
  const data = new Map<string, readonly [values: Float64Array, shape: readonly number[]]>([
    ['wte.weight', [model.embed, [vocabulary, width]]],
    ['wpe.weight', [model.positions, [positions, width]]],
    ['ln_f.weight', [model.gammaFinal, [width]]],
    ['ln_f.bias', [model.betaFinal, [width]]],
    [
      'lm_head.weight',
      [
        Float64Array.from(
          { length: vocabulary * width },
          (_, i) => model.unembed[(i % width) * vocabulary + Math.floor(i / width)] ?? 0,
        ),
        [vocabulary, width],
      ],
    ],
  ]);
  for (const [l, layer] of model.layers.entries()) {
    const parts = [layer.q, layer.k, layer.v];
    const weight = new Float64Array(width * 3 * width);
    const bias = new Float64Array(3 * width);
    for (const [x, part] of parts.entries())
      for (let h = 0; h < heads; h++)
        for (let j = 0; j < headWidth; j++) {
          const column = x * width + h * headWidth + j;
          bias[column] = part.bias[h * headWidth + j] ?? 0;
          for (let i = 0; i < width; i++)
            weight[i * 3 * width + column] = part.weight[(h * width + i) * headWidth + j] ?? 0;
        }
    const put = (name: string, values: Float64Array, ...shape: readonly number[]): void =>
      void data.set(`h.${l}.${name}`, [values, shape]);
    put('ln_1.weight', layer.gamma1, width);
    put('ln_1.bias', layer.beta1, width);
    put('attn.c_attn.weight', weight, width, 3 * width);
    put('attn.c_attn.bias', bias, 3 * width);
    put('attn.c_proj.weight', layer.o.weight, width, width);
    put('attn.c_proj.bias', layer.o.bias, width);
    put('ln_2.weight', layer.gamma2, width);
    put('ln_2.bias', layer.beta2, width);
    put('mlp.c_fc.weight', layer.up.weight, width, mlpWidth);
    put('mlp.c_fc.bias', layer.up.bias, mlpWidth);
    put('mlp.c_proj.weight', layer.down.weight, mlpWidth, width);
    put('mlp.c_proj.bias', layer.down.bias, width);
  }
  const tensors = new Map(
    Array.from(data, ([name, [values, shape]]) => [
      name === 'lm_head.weight' ? name : `transformer.${name}`,
      { shape, data: Float32Array.from(values) },
    ]),
  );
  return { config, tensors };
}

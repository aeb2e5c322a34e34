// The same model twice: in float64 (the reference) and on the GPU as a GPT-2, through the file format.
import { loadGpt2, memoryFiles, weightShapes, writeSafetensors, type Gpt2, type WritableTensor } from '@limn/gpt2';
import { newConfig } from '@limn/gpt2';
import { referenceEap, testGpu } from '@limn/testing';

type EapModel = referenceEap.EapModel;

/** Weights of a reference model in Hugging Face's names and layout: Conv1D [in, out], c_attn's columns q‖k‖v, heads inside. */
export async function gpt2Of(model: EapModel): Promise<Gpt2> {
  const { layers, heads, width, headWidth, mlpWidth, vocabulary, positions } = model.sizes;
  const json = {
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
  const config = newConfig({ layers, heads, width, mlpWidth, vocabulary, maxPositions: positions, tied: false });
  const data = new Map<string, Float64Array>([
    ['wte.weight', model.embed],
    ['wpe.weight', model.positions],
    ['ln_f.weight', model.gammaFinal],
    ['ln_f.bias', model.betaFinal],
    [
      'lm_head.weight',
      Float64Array.from(
        { length: vocabulary * width },
        (_, i) => model.unembed[(i % width) * vocabulary + Math.floor(i / width)] ?? 0,
      ),
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
    const put = (name: string, values: Float64Array): void => void data.set(`h.${l}.${name}`, values);
    put('ln_1.weight', layer.gamma1);
    put('ln_1.bias', layer.beta1);
    put('attn.c_attn.weight', weight);
    put('attn.c_attn.bias', bias);
    put('attn.c_proj.weight', layer.o.weight);
    put('attn.c_proj.bias', layer.o.bias);
    put('ln_2.weight', layer.gamma2);
    put('ln_2.bias', layer.beta2);
    put('mlp.c_fc.weight', layer.up.weight);
    put('mlp.c_fc.bias', layer.up.bias);
    put('mlp.c_proj.weight', layer.down.weight);
    put('mlp.c_proj.bias', layer.down.bias);
  }
  const tensors = new Map<string, WritableTensor>();
  for (const [name, shape] of weightShapes(config, false))
    tensors.set(name === 'lm_head.weight' ? name : `transformer.${name}`, {
      shape,
      data: Float32Array.from(data.get(name) ?? []),
    });
  const files = memoryFiles({
    'config.json': new TextEncoder().encode(JSON.stringify(json)),
    'model.safetensors': writeSafetensors(tensors),
  });
  return (await loadGpt2(await testGpu(), files)).model;
}

/** Awkward sizes: 3 heads of 24, odd vocabulary, odd MLP width. */
export const AWKWARD: referenceEap.EapSizes = {
  layers: 2,
  heads: 3,
  width: 72,
  headWidth: 24,
  mlpWidth: 37,
  vocabulary: 67,
  positions: 9,
};

/** Pairs of mixed, odd lengths; one to three tokens differ, never the last. */
export function awkwardPairs(
  count: number,
  { vocabulary, positions }: referenceEap.EapSizes = AWKWARD,
): referenceEap.EapPair[] {
  let state = 12_345;
  const below = (n: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const answers = (count: number): Pick<referenceEap.EapPair, 'correct' | 'incorrect'> => {
    const ids = new Set([below(vocabulary), below(vocabulary)].slice(0, count));
    while (ids.size <= count) ids.add(below(vocabulary));
    return { correct: [...ids].slice(0, count), incorrect: [...ids].slice(count) };
  };
  return Array.from({ length: count }, (_, i) => {
    const length = Math.min(positions, [5, 3, positions, 7, 2, 8][i % 6] as number);
    const clean = Array.from({ length }, () => below(vocabulary));
    const corrupted = clean.slice();
    for (let n = 0; n <= i % 3; n++) corrupted[below(length - 1)] = below(vocabulary);
    return {
      clean,
      corrupted,
      ...answers(1 + (i % 2)),
    };
  });
}

// A random model whose biases and LayerNorms are as random as its matrices: GPT-2's initial ones are 0 and 1, which hides mistakes.
import { testGpu } from '@limn/testing';
import { randomGpt2, type Gpt2, type NewGpt2Config } from '../src/index.js';

/** Vectors become 0.4·sin, around 1 for the gains of LayerNorm. */
export async function randomBiases(sizes: NewGpt2Config, seed: number): Promise<Gpt2> {
  const model = await randomGpt2(await testGpu(), { initializerRange: 0.3, ...sizes }, seed);
  let n = 0;
  for (const [name, tensor] of model.parameters()) {
    if (!('storage' in tensor) || tensor.shape.length !== 1) continue;
    const centre = /ln_(1|2|f)\.weight$/.test(name) ? 1 : 0;
    const values = Float32Array.from({ length: tensor.size }, () => centre + 0.4 * Math.sin(++n * 1.7));
    model.gpu.write(tensor.storage, values);
  }
  await model.refreshFingerprint();
  return model;
}

// A tiny random GPT-2 with GPT-2's own vocabulary, as a Hugging Face folder: what every text task can be run on without any weights.
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { referenceRandom } from '@limn/testing';
import { newConfig, weightShapes } from '@limn/gpt2';
import { safetensorsBytes } from './toy-model.js';

const tokenizer = path.resolve(import.meta.dirname, '../../../../shared/gpt2-tokenizer');
/** Whether GPT-2's vocabulary is at hand; tests on it are skipped with the reason where it is not. */
export const GPT2_TOKENIZER = existsSync(tokenizer);
/** Why a test on GPT-2's vocabulary does not run. */
export const NO_GPT2_TOKENIZER = 'shared/gpt2-tokenizer is not there';

const HEADS = 2;
const WIDTH = 16;
const VOCABULARY = 50_257;
const POSITIONS = 48;

/** Writes config.json, model.safetensors, vocab.json and merges.txt: two layers, or more, of two heads, width 16, random weights from a fixed seed. */
export function writeGpt2WordsModel(folder: string, layers = 2): void {
  mkdirSync(folder, { recursive: true });
  const config = newConfig({
    layers,
    heads: HEADS,
    width: WIDTH,
    vocabulary: VOCABULARY,
    maxPositions: POSITIONS,
    tied: true,
  });
  const random = referenceRandom(4);
  const tensors = new Map(
    [...weightShapes(config, true)].map(([name, shape]) => {
      const size = shape.reduce((product, side) => product * side, 1);
      const data = random.normals(size, 0.3);
      return [`transformer.${name}`, { shape, data: /ln_\w+\.weight/.test(name) ? data.map((x) => 1 + x) : data }];
    }),
  );
  const json = {
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    activation_function: 'gelu_new',
    n_layer: layers,
    n_head: HEADS,
    n_embd: WIDTH,
    n_positions: POSITIONS,
    vocab_size: VOCABULARY,
    layer_norm_epsilon: 1e-5,
    bos_token_id: 50_256,
    eos_token_id: 50_256,
    tie_word_embeddings: true,
  };
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify(json, null, 2));
  writeFileSync(path.join(folder, 'model.safetensors'), safetensorsBytes(tensors));
  for (const name of ['vocab.json', 'merges.txt']) copyFileSync(path.join(tokenizer, name), path.join(folder, name));
}

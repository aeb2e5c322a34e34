// A tiny random GPT-2 with pocket-chat's words, as a Hugging Face folder: what commands of the chat world can be run on without its weights.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { newConfig, weightShapes } from '@limn/gpt2';
import { chatModelFiles } from '@limn/pocket/chat';
import { CHAT_VOCABULARY } from '@limn/tasks/chat';
import { referenceRandom } from '@limn/testing';
import { safetensorsBytes } from './toy-model.js';

const SIZES = { vocabulary: CHAT_VOCABULARY.length, positions: 64, width: 8, layers: 1, heads: 2, mlpWidth: 16 };

/** Writes config.json, model.safetensors and the tokenizer: one layer of two heads, width 8, random weights from a seed. */
export function writeChatModel(folder: string, seed = 5): void {
  mkdirSync(folder, { recursive: true });
  const config = newConfig({ ...SIZES, maxPositions: SIZES.positions, tied: true });
  const random = referenceRandom(seed);
  const tensors = new Map(
    [...weightShapes(config, true)].map(([name, shape]) => {
      const size = shape.reduce((product, side) => product * side, 1);
      const data = random.normals(size, 0.3);
      return [`transformer.${name}`, { shape, data: /ln_\w+\.weight/.test(name) ? data.map((x) => 1 + x) : data }];
    }),
  );
  for (const [name, text] of Object.entries(chatModelFiles({ ...SIZES, layerNormEpsilon: 1e-5 })))
    writeFileSync(path.join(folder, name), text);
  writeFileSync(path.join(folder, 'model.safetensors'), safetensorsBytes(tensors));
}

// A two-layer GPT-2 whose weights are sine waves, written as a Hugging Face folder: golden/eap-toy.json holds its edge scores in float64.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const LAYERS = 2;
const HEADS = 2;
const WIDTH = 8;
const HEAD_WIDTH = 4;
const MLP = 16;
const VOCABULARY = 11;
const POSITIONS = 5;

interface Weights {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Weight i of the tensor with this salt: offset + amplitude · sin(12.9898 (i + 1) + 78.233 salt), row-major. */
function sineWave(shape: readonly number[], salt: number, amplitude: number, offset = 0): Weights {
  const size = shape.reduce((product, side) => product * side, 1);
  const data = Float64Array.from(
    { length: size },
    (_, i) => offset + amplitude * Math.sin(12.9898 * (i + 1) + 78.233 * salt),
  );
  return { shape, data };
}

/** q, k and v of every head, each [width, head width], side by side in GPT-2's c_attn [width, 3 width]. */
function packAttention(salt: number): { weight: Weights; bias: Weights } {
  const weight = new Float64Array(WIDTH * 3 * WIDTH);
  const bias = new Float64Array(3 * WIDTH);
  for (let slot = 0; slot < 3; slot++) {
    const heads = sineWave([HEADS, WIDTH, HEAD_WIDTH], salt + 2 * slot, 1.2).data;
    bias.set(sineWave([WIDTH], salt + 2 * slot + 1, 0.1).data, slot * WIDTH);
    heads.forEach((value, i) => {
      const column = i % HEAD_WIDTH;
      const row = Math.floor(i / HEAD_WIDTH) % WIDTH;
      const head = Math.floor(i / (HEAD_WIDTH * WIDTH));
      weight[row * 3 * WIDTH + slot * WIDTH + head * HEAD_WIDTH + column] = value;
    });
  }
  return { weight: { shape: [WIDTH, 3 * WIDTH], data: weight }, bias: { shape: [3 * WIDTH], data: bias } };
}

/** Every tensor by its name in the checkpoint. */
export function toyWeights(): Map<string, Weights> {
  const named = new Map<string, Weights>();
  named.set('transformer.wte.weight', sineWave([VOCABULARY, WIDTH], 1, 0.8));
  named.set('transformer.wpe.weight', sineWave([POSITIONS, WIDTH], 2, 0.3));
  for (let layer = 0; layer < LAYERS; layer++) {
    const salt = 3 + 16 * layer;
    const block = `transformer.h.${layer}.`;
    const attention = packAttention(salt + 2);
    named.set(`${block}ln_1.weight`, sineWave([WIDTH], salt, 0.2, 1));
    named.set(`${block}ln_1.bias`, sineWave([WIDTH], salt + 1, 0.1));
    named.set(`${block}attn.c_attn.weight`, attention.weight);
    named.set(`${block}attn.c_attn.bias`, attention.bias);
    named.set(`${block}attn.c_proj.weight`, sineWave([WIDTH, WIDTH], salt + 8, 1.2));
    named.set(`${block}attn.c_proj.bias`, sineWave([WIDTH], salt + 9, 0.1));
    named.set(`${block}ln_2.weight`, sineWave([WIDTH], salt + 10, 0.2, 1));
    named.set(`${block}ln_2.bias`, sineWave([WIDTH], salt + 11, 0.1));
    named.set(`${block}mlp.c_fc.weight`, sineWave([WIDTH, MLP], salt + 12, 0.6));
    named.set(`${block}mlp.c_fc.bias`, sineWave([MLP], salt + 13, 0.1));
    named.set(`${block}mlp.c_proj.weight`, sineWave([MLP, WIDTH], salt + 14, 0.5));
    named.set(`${block}mlp.c_proj.bias`, sineWave([WIDTH], salt + 15, 0.1));
  }
  named.set('transformer.ln_f.weight', sineWave([WIDTH], 35, 0.2, 1));
  named.set('transformer.ln_f.bias', sineWave([WIDTH], 36, 0.1));
  const unembed = sineWave([WIDTH, VOCABULARY], 37, 0.8).data;
  const head = Float64Array.from(
    unembed,
    (_, i) => unembed[(i % WIDTH) * VOCABULARY + Math.floor(i / WIDTH)] as number,
  );
  named.set('lm_head.weight', { shape: [VOCABULARY, WIDTH], data: head });
  return named;
}

export const toyConfig = {
  architectures: ['GPT2LMHeadModel'],
  model_type: 'gpt2',
  activation_function: 'gelu_new',
  n_layer: LAYERS,
  n_head: HEADS,
  n_embd: WIDTH,
  n_inner: MLP,
  n_positions: POSITIONS,
  n_ctx: POSITIONS,
  vocab_size: VOCABULARY,
  layer_norm_epsilon: 1e-5,
  tie_word_embeddings: false,
};

/** The one pair that the golden scores belong to. */
export const toyPair = { clean: [1, 4, 7, 2, 9], corrupted: [1, 4, 3, 2, 9], correct: [8], incorrect: [5] };

/** A safetensors file: 8 bytes of header length, JSON header, f32 data. */
export function safetensorsBytes(tensors: ReadonlyMap<string, Weights>): Buffer {
  const header: Record<string, { dtype: 'F32'; shape: readonly number[]; data_offsets: [number, number] }> = {};
  const parts: Buffer[] = [];
  let end = 0;
  for (const [name, { shape, data }] of tensors) {
    const bytes = Buffer.from(Float32Array.from(data).buffer);
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
    parts.push(bytes);
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...parts]);
}

/** Writes config.json, model.safetensors and pairs.jsonl. */
export function writeToyModel(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify(toyConfig, null, 2));
  writeFileSync(path.join(folder, 'model.safetensors'), safetensorsBytes(toyWeights()));
  writeFileSync(path.join(folder, 'pairs.jsonl'), `${JSON.stringify(toyPair)}\n`);
}

/** The words of `limn circuit` on a folder that `writeToyModel` wrote, with its pairs. */
export function toyCircuit(folder: string, out: string): string[] {
  return ['circuit', '--model', folder, '--data', path.join(folder, 'pairs.jsonl'), '--out', out];
}

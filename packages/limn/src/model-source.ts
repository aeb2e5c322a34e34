// A model by name: a Hugging Face GPT-2 folder, or `pocket`, which comes with limn. Never from the network.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadGpt2, type Gpt2, type ModelTokenizer } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import type { Gpu } from '@limn/gpu';
import { modelFolder } from '@limn/pocket';
import type { PipelineControls } from './pipeline.js';

export type { ModelTokenizer } from '@limn/gpt2';

/** The name of the bundled model, unless a folder of that name stands in the way. */
export const POCKET = 'pocket';

/** A loaded model; disposing it frees its weights. */
export interface OpenModel {
  /** As it was asked for. */
  readonly name: string;
  readonly hooked: Gpt2;
  /** Absent where the folder has none: then the model takes token ids only. */
  readonly tokenizer?: ModelTokenizer;
  /** The text of a token, or its id where there is no tokenizer. */
  readonly show: (id: number) => string;
  [Symbol.dispose](): void;
}

/** @throws LimnError `files/…`, `config/…`, `safetensors/…`, `weights/…` or `tokenizer/…`, naming file and cure: exit code 4. */
export async function openModel(
  gpu: Gpu,
  name: string,
  { signal, onProgress }: PipelineControls = {},
): Promise<OpenModel> {
  const folder = name === POCKET && !existsSync(name) ? fileURLToPath(modelFolder()) : name;
  const { model, tokenizer } = await loadGpt2(gpu, openFolder(folder), {
    ...(signal === undefined ? {} : { signal }),
    onProgress: ({ done, total }) => onProgress?.({ phase: 'weights', done, total, unit: 'tensors' }),
  });
  return {
    name,
    hooked: model,
    ...(tokenizer === undefined ? {} : { tokenizer }),
    show: (id) => tokenizer?.tokenText(id) ?? String(id),
    [Symbol.dispose]: () => model.dispose(),
  };
}

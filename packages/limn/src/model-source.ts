// A model by name: `pocket` or `pocket-chat`, which come with limn, a Hugging Face GPT-2 folder, or an id of the Hugging Face Hub.
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  describePlan,
  loadGpt2,
  type Gpt2,
  type LoadOptions,
  type ModelFiles,
  type ModelTokenizer,
  type WeightForm,
} from '@limn/gpt2';
import { openFolder, openModel as openModelFiles } from '@limn/gpt2/node';
import { LimnError, shownValue, type Gpu } from '@limn/gpu';
import { chatModelFolder, modelFolder } from '@limn/pocket';
import type { PipelineControls } from './circuit-request.js';
import type { MergedLora } from './merged-loras.js';

export type { ModelTokenizer } from '@limn/gpt2';

/** The name of the bundled model, unless a folder of that name stands in the way. */
export const POCKET = 'pocket';
/** The name of the base model that weight diffs are trained from, unless a folder of that name stands in the way. */
export const POCKET_CHAT = 'pocket-chat';
const BUNDLED: ReadonlyMap<string, () => URL> = new Map([
  [POCKET, modelFolder],
  [POCKET_CHAT, chatModelFolder],
]);

/** A loaded model; disposing it frees its weights. */
export interface OpenModel {
  /** As it was asked for; of a model of the hub, its id and commit. */
  readonly name: string;
  readonly hooked: Gpt2;
  /** Absent where the folder has none: then the model takes token ids only. */
  readonly tokenizer?: ModelTokenizer;
  /** The text of a token, or its id where there is no tokenizer. */
  readonly show: (id: number) => string;
  /** LoRAs in its weights, and what was done to these before; absent where there are none. */
  readonly loras?: readonly MergedLora[];
  readonly baseProcessing?: string;
  /** Frees the model. */
  [Symbol.dispose](): void;
}

/** How to open a model. */
export interface OpenModelControls extends PipelineControls, WeightForm, Pick<LoadOptions, 'budgetBytes'> {
  /** What loading takes, in a line, before the wait. Default: `onNotice`. */
  readonly onPlan?: ((line: string) => void) | undefined;
  /** What is worth a line before the wait: that the hub is out of reach, what of config.json is not read. */
  readonly onNotice?: ((line: string) => void) | undefined;
}

/**
 * `pocket` or `pocket-chat`; a folder that is there; else what `openModel` of `@limn/gpt2/node` makes of the name: a path or an address stays what it is, and
 * an id is looked for in the shared Hugging Face cache and then on the hub. Only ids and addresses lead to the network.
 * @throws LimnError `files/…`, `config/…`, `safetensors/…`, `weights/…`, `tokenizer/…` or `hub/…`, naming file and cure: exit code 4;
 * `load/…`, `gpu/out-of-memory`, and `hub/…` of a network that does not answer: exit code 3; `usage/model-name`: exit code 2.
 */
export async function openModel(gpu: Gpu, name: string, controls: OpenModelControls = {}): Promise<OpenModel> {
  const { signal, onProgress, onNotice, onPlan = onNotice, weights, processing, budgetBytes } = controls;
  expectName(name);
  const folder = existsSync(name) ? undefined : BUNDLED.get(name);
  const bundled = folder !== undefined;
  const files = folder ? openFolder(fileURLToPath(folder())) : await filesOf(name, controls);
  const { model, tokenizer } = await loadGpt2(gpu, files, {
    ...(signal === undefined ? {} : { signal }),
    ...(weights === undefined ? {} : { weights }),
    ...(processing === undefined ? {} : { processing }),
    ...(onNotice === undefined ? {} : { onNotice }),
    ...(budgetBytes === undefined ? {} : { budgetBytes }),
    onPlan: (plan) => void (bundled || onPlan?.(describePlan(plan))),
    onProgress: ({ done, total }) => onProgress?.({ phase: 'weights', done, total, unit: 'tensors' }),
  });
  return {
    name: bundled ? name : files.label,
    hooked: model,
    ...(tokenizer === undefined ? {} : { tokenizer }),
    show: (id) => tokenizer?.tokenText(id) ?? String(id),
    [Symbol.dispose]: () => model.dispose(),
  };
}

function expectName(name: unknown): asserts name is string {
  if (typeof name === 'string' && name !== '') return;
  throw new LimnError('usage/model-name', `a model is opened by its name; given: ${shownValue(name)}`, {
    hint: "Give 'pocket', 'pocket-chat', a folder, or an id of the hub such as 'gpt2'.",
  });
}

async function filesOf(name: string, { signal, onProgress, onNotice }: OpenModelControls): Promise<ModelFiles> {
  if (existsSync(name)) {
    if (statSync(name).isDirectory()) return openFolder(name);
    throw new LimnError(
      'files/not-a-folder',
      `${name} is a file; a model is opened by the folder that holds its files`,
      {
        details: { name },
        hint: `Give ${path.dirname(name)}, with config.json beside the weights.`,
      },
    );
  }
  return openModelFiles(name, {
    ...(signal === undefined ? {} : { signal }),
    ...(onNotice === undefined ? {} : { onNotice }),
    onProgress: ({ file, done, total }) => onProgress?.({ phase: `downloading ${file}`, done, total, unit: 'bytes' }),
  });
}

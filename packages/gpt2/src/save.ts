// Writes a model as a Hugging Face folder, one tensor at a time.
import { formatConfig } from './config.js';
import type { WritableFiles } from './files.js';
import type { Gpt2 } from './model.js';
import { parameterPieces, shapeOf } from './parameters.js';
import { safetensorsContent, type TensorPieces } from './safetensors-write.js';
import { expectRaw } from './weight-form.js';

/**
 * Writes config.json and model.safetensors as transformers would. Tokenizer files are the caller's to copy. Weights go from the GPU to the
 * target one at a time, a vocabulary-sized one by blocks of rows; f16 weights are written as f32. They come first and the config last: in
 * a new folder an interrupted save leaves nothing that looks complete. Over an earlier model each file is replaced whole, so that a failure
 * while the weights are written leaves that model as it was; one between the two files leaves the new weights beside the earlier config.
 * Where that differs, save into a new folder.
 * @throws LimnError `weights/f16`, `weights/processed`: the format has no bias of the unembedding,
 * and no way to say what was done; `files/write`.
 */
export async function saveGpt2(model: Gpt2, target: WritableFiles): Promise<void> {
  expectRaw(model.info.processing, 'saved', 'f16');
  const tensors = new Map<string, TensorPieces>();
  for (const [name, parameter] of model.parameters())
    tensors.set(name === 'lm_head.weight' ? name : `transformer.${name}`, {
      shape: shapeOf(parameter),
      pieces: () => parameterPieces(model.gpu, parameter),
    });
  await target.write('model.safetensors', safetensorsContent(tensors, { format: 'pt' }));
  await target.write('config.json', new TextEncoder().encode(formatConfig({ ...model.config, tied: model.tied })));
}

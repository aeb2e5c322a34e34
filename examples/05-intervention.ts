// An intervention: each MLP and head is switched off in turn, to see which ones the answer Olga (and not Clara) rests on.
import { fileURLToPath } from 'node:url';
import { loadGpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { openNodeGpu } from '@limn/gpu/node';
import { ablate, blockHook, scale, tokenBatch, type Intervention } from '@limn/hooks';
import { modelFolder } from '@limn/pocket';
import { fromData, readFloats } from '@limn/tensor';

const gpu = await openNodeGpu();
const { model, tokenizer } = await loadGpt2(gpu, openFolder(fileURLToPath(modelFolder())));
const { layers, heads, headWidth } = model.info;
const { ids } = tokenizer!.encode('after Clara and Olga went to the store , Clara handed a letter to', {
  prependBos: true,
});
const [olga, clara] = ['Olga', 'Clara'].map((name) => tokenizer!.singleToken(name));

// All runs are recorded in one step, so the GPU is asked once.
const step = gpu.step();
const tokens = tokenBatch([ids], model.info);
const preference = async (...interventions: Intervention[]): Promise<number> => {
  const { logits } = model.run(step, { tokens }, { interventions, logits: 'last' });
  const values = await readFloats(step, logits);
  return values[olga!]! - values[clara!]!;
};
/** hook_z is [batch, position, head, head width]: 1 everywhere but in the row of one head. */
const withoutHead = (layer: number, head: number): Intervention => {
  const keep = Float32Array.from({ length: heads * headWidth }, (_, i) => (Math.floor(i / headWidth) === head ? 0 : 1));
  return scale(blockHook(layer, 'attn.hook_z'), fromData(step, keep, [heads, headWidth]));
};

const named: [string, Promise<number>][] = [['nothing', preference()]];
for (let layer = 0; layer < layers; layer++) {
  for (let head = 0; head < heads; head++)
    named.push([`layer ${layer} head ${head}`, preference(withoutHead(layer, head))]);
  named.push([`layer ${layer} MLP`, preference(ablate(blockHook(layer, 'hook_mlp_out'), 'zero'))]);
}
console.log('switched off       logit(Olga) − logit(Clara)');
for (const [name, value] of named) console.log(`${name.padEnd(18)} ${(await value).toFixed(2).padStart(6)}`);
step.dispose();
model.dispose();
gpu.dispose();
